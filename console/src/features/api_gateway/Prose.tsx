import { Text } from '@mantine/core'
import { Fragment } from 'react'

/** Paragraphs with words of code between backticks, as the API's document has them. */
export function Prose({ children, dimmed }: { children: string; dimmed?: boolean }) {
  return (
    <>
      {children.split('\n\n').map((paragraph) => (
        <Text key={paragraph} c={dimmed ? 'dimmed' : undefined} maw={720} mb={6}>
          {paragraph.split('`').map((part, index) => {
            const key = `${index}:${part}`
            return index % 2 ? <code key={key}>{part}</code> : <Fragment key={key}>{part}</Fragment>
          })}
        </Text>
      ))}
    </>
  )
}
