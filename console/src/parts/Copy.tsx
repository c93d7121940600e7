import { ActionIcon, CopyButton, Group, Text, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import classes from './Copy.module.css'

/** A button that copies `value`. */
export function Copy({ value }: { value: string }) {
  const { t } = useTranslation()
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t('common.copied') : t('common.copy')}>
          <ActionIcon onClick={copy} size="sm" aria-label={t('common.copy')}>
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  )
}

/** A short value in fixed width with a button that copies it. */
export function CopyValue({ value }: { value: string }) {
  return (
    <Group gap={4} wrap="nowrap">
      <Text span ff="monospace" fz="sm" className={classes.value} title={value}>
        {value}
      </Text>
      <Copy value={value} />
    </Group>
  )
}

/** A block of code with a button that copies it. */
export function CodeBlock({ code, label }: { code: string; label?: string }) {
  return (
    <div className={classes.block}>
      <pre role="region" aria-label={label} tabIndex={0}>
        <code>{code}</code>
      </pre>
      <div className={classes.corner}>
        <Copy value={code} />
      </div>
    </div>
  )
}
