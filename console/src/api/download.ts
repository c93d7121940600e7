import { loadFailures } from '@/i18n'
import { Problem } from './problem'

/** Fetch `path` in the form asked for and let the browser keep it as a file. Throws Problem. */
export async function download(path: string, accept: string, name: string): Promise<void> {
  const answer = await fetch(path, { headers: { Accept: accept } })
  if (!answer.ok) {
    const told = await answer.json().catch(() => null)
    await loadFailures()
    throw Problem.of(answer.status, told)
  }
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await answer.blob())
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
