import { javascript } from '@codemirror/lang-javascript'
import { json } from '@codemirror/lang-json'
import { Compartment, EditorState } from '@codemirror/state'
import { oneDark } from '@codemirror/theme-one-dark'
import { useComputedColorScheme } from '@mantine/core'
import { basicSetup, EditorView } from 'codemirror'
import { useEffect, useRef } from 'react'

export interface EditorProps {
  label: string
  language: 'javascript' | 'json' | 'text'
  value: string
  onChange?: (text: string) => void
  height?: number
}

const look = EditorView.theme({
  '&': { fontSize: '13px', height: '100%' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.6' },
  '.cm-gutters': { borderRight: '1px solid var(--edge)' },
})

/** A darker ground than One Dark's own, so that every colour of its text reads well. */
const night = EditorView.theme(
  {
    '&': { backgroundColor: '#10161d' },
    '.cm-gutters': { backgroundColor: '#10161d', color: '#97a4b3' },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: '#1a222c' },
  },
  { dark: true },
)

/** CodeMirror, following `value` and the colour scheme. */
export default function CodeEditor({ label, language, value, onChange, height = 320 }: EditorProps) {
  const scheme = useComputedColorScheme('light')
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const colours = useRef(new Compartment())
  const tell = useRef(onChange)
  tell.current = onChange

  // The editor is made once per label and language; value and colours follow below.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above.
  useEffect(() => {
    if (!host.current) return
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: value,
        extensions: [
          basicSetup,
          language === 'json' ? json() : language === 'javascript' ? javascript() : [],
          look,
          colours.current.of([]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': label }),
          EditorState.readOnly.of(!onChange),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current?.(update.state.doc.toString())
          }),
        ],
      }),
    })
    view.current = made
    return () => made.destroy()
  }, [label, language, !onChange])

  useEffect(() => {
    view.current?.dispatch({
      effects: colours.current.reconfigure(scheme === 'dark' ? [night, oneDark] : []),
    })
  }, [scheme])

  useEffect(() => {
    const current = view.current
    if (current && current.state.doc.toString() !== value) {
      current.dispatch({ changes: { from: 0, to: current.state.doc.length, insert: value } })
    }
  }, [value])

  return (
    <div
      ref={host}
      style={{
        height,
        border: '1px solid var(--edge)',
        borderRadius: 'var(--mantine-radius-sm)',
        overflow: 'hidden',
        background: 'var(--panel)',
      }}
    />
  )
}
