import { Skeleton } from '@mantine/core'
import { lazy, Suspense } from 'react'
import type { EditorProps } from './CodeEditor'

const Editor = lazy(() => import('./CodeEditor'))

/** A code editor, loaded when first shown. */
export function Code(props: EditorProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 320} />}>
      <Editor {...props} />
    </Suspense>
  )
}
