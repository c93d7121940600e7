import { Group, SegmentedControl, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { CodeBlock } from './Copy'
import { useFormat } from './format'
import { asText, toHex } from './hex'

/** Show bytes as text where they are some, as hex otherwise or on demand. */
export function Bytes({ bytes }: { bytes: Uint8Array<ArrayBuffer> }) {
  const { t } = useTranslation()
  const format = useFormat()
  const text = asText(bytes)
  const [form, setForm] = useState(text === null ? 'hex' : 'text')
  const code = form === 'text' && text !== null ? pretty(text) : toHex(bytes)
  return (
    <div>
      <Group justify="space-between" mb={6}>
        <Text fz="sm" c="dimmed">
          {format.bytes(bytes.length)}
        </Text>
        <SegmentedControl
          size="xs"
          value={form}
          onChange={setForm}
          data={[
            { value: 'hex', label: t('messages.hex') },
            { value: 'text', label: t('messages.text'), disabled: text === null },
          ]}
        />
      </Group>
      <CodeBlock code={code} label={t('messages.payload')} />
    </div>
  )
}

/** Lay JSON out; leave any other text as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
