import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Problem } from '@/api/problem'
import { startLanguage } from '@/i18n'
import { makeRouter } from './router'
import './mantine.css'
import './styles.css'
import { useTheme } from './theme'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // What the server refuses it refuses again; only silence is worth another try.
      retry: (count, failure) =>
        count < 2 && !(failure instanceof Problem && failure.status > 0 && failure.status < 500),
    },
  },
})
const router = makeRouter(client)

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

await startLanguage()
const place = document.getElementById('root')
if (!place) throw new Error('index.html has no element with the id root.')
function Console() {
  return (
    <MantineProvider theme={useTheme()} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  )
}

createRoot(place).render(
  <StrictMode>
    <Console />
  </StrictMode>,
)
