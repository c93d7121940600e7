import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

/** What the rail, the top bar and the overview show. */
const FRAME = new RegExp(
  [
    '@floating-ui|@mantine.hooks|@mantine.core.esm.(core|utils)|@tabler|@tanstack.(query|react-query|react-router)',
    'src.(api|features.(auth|overview.(Overview|demo.ts))|shell)|(?<!api_gateway.|brokers.|oauth.|user_stores.)queries|notifications.(acknowledge|words)',
    'parts.(Copy|Failure|Page|Panel|Past|Status|Time|address|format|go|instant|Said|notify|tiles)\\b',
    'components.(Accordion|Anchor|Badge|Box|Breadcrumbs|Center|CheckboxIndicator|CloseButton|Collapse|CopyButton)\\b',
    'components.(Divider|FocusTrap|Group|InputBase|Menu|NativeSelect|Overlay|Paper|Popover)\\b',
    'components.(Portal|SimpleGrid|Skeleton|ThemeIcon|Tooltip|Transition|VisuallyHidden)\\b',
    'Checkbox.CheckIcon|Combobox.(Combobox.module|ComboboxChevron|get-parsed)|Radio.RadioIcon',
  ].join('|'),
)
/** What every list shows. */
const LISTS = new RegExp(
  [
    'get-nonce|remove-scroll|style-singleton|tslib|use-callback-ref|use-sidecar',
    'virtual|parts.(DataList|Empty|Filters|preferences)',
    'components.(Checkbox|Combobox|Drawer|Modal|MultiSelect|Pill|ScrollArea|Select|Table|TagsInput)',
  ].join('|'),
)

const WORTH_IT_BYTES = 1024

/** Lay a brotli and a gzip copy beside each text; src/moorage/entry/console.py serves them. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir = '' }) {
      const names = await readdir(dir, { recursive: true })
      const texts = names.filter((name) => /\.(js|mjs|css|html|json|svg)$/.test(name))
      await Promise.all(
        texts.map(async (name) => {
          const path = join(dir, name)
          const text = await readFile(path)
          if (text.length < WORTH_IT_BYTES) return
          const params = {
            [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
            [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
          }
          await writeFile(`${path}.br`, await promisify(brotliCompress)(text, { params }))
          await writeFile(`${path}.gz`, await promisify(gzip)(text, { level: 9 }))
        }),
      )
    },
  }
}

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: 'dist',
    target: 'es2022',
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      output: {
        // Without the names of all pages that share it.
        chunkFileNames: ({ name }) => `assets/${name.replace(/~.*/, '')}-[hash].js`,
        codeSplitting: {
          // Only what a group names: with all that it needs, each group would hold half of the console.
          includeDependenciesRecursively: false,
          groups: [
            { name: 'base', tags: ['$initial'], includeDependenciesRecursively: true },
            { name: 'frame', test: FRAME, minShareCount: 2 },
            { name: 'lists', test: LISTS, minShareCount: 2 },
            { name: 'forms', test: /node_modules|src.parts/, minShareCount: 2 },
            { name: 'pages', minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: 8_000 },
          ],
        },
      },
    },
  },
  server: { port: 5173, proxy: { '/api': 'http://127.0.0.1:8080', '/ingest': 'http://127.0.0.1:8080' } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
})
