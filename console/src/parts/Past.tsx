import { ActionIcon, Button, Group, NativeSelect, Text, TextInput, Tooltip } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconHistory } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useFormat } from './format'
import { instantOf, localOf, SPANS, type SpanName, spanTo, usePast } from './instant'
import classes from './Past.module.css'
import { useNow } from './Time'

const HOUR = 3_600_000

/** Look back: the page as it was an hour ago, from where the slider goes on. */
export function LookBack() {
  const { t } = useTranslation()
  const { at, look } = usePast()
  return (
    <Tooltip label={t('past.look')}>
      <ActionIcon
        size={34}
        variant={at ? 'filled' : 'default'}
        color={at ? undefined : 'gray'}
        aria-label={t('past.look')}
        aria-pressed={at !== undefined}
        onClick={() => look(at ? undefined : instantOf(Date.now() - HOUR))}
      >
        <IconHistory size={18} />
      </ActionIcon>
    </Tooltip>
  )
}

/** Says which time is shown, and goes to another; nothing while that is now. */
export function PastBar() {
  const { at } = usePast()
  return at ? <Bar at={at} /> : null
}

function Bar({ at }: { at: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { look } = usePast()
  // Whole minutes, so that the thumb does not creep.
  const now = Math.floor(useNow() / 60_000) * 60_000
  const asked = Date.parse(at)
  const [shown, setShown] = useState(asked)
  const [typed, setTyped] = useState(() => localOf(asked))
  const [span, setSpan] = useState<SpanName>(() => spanTo(asked, now))
  useEffect(() => {
    setShown(asked)
    setTyped(localOf(asked))
    setSpan((before) => (Date.now() - asked < SPANS[before].length ? before : spanTo(asked, Date.now())))
  }, [asked])
  const ask = useDebouncedCallback((ms: number) => look(instantOf(ms)), 200)
  const { length, step } = SPANS[span]
  const known = !Number.isNaN(shown)
  return (
    <section className={classes.bar} aria-label={t('past.look')}>
      <Group gap="xs" wrap="nowrap" className={classes.words} role="status">
        <IconHistory size={18} aria-hidden="true" />
        <Text span>
          <b>{known ? t('past.asOf', { at: format.instant(shown, false) }) : t('past.unknown')}</b>{' '}
          {t('past.help')}
        </Text>
      </Group>
      <div className={classes.tools}>
        <input
          type="range"
          className={classes.range}
          aria-label={t('past.time')}
          aria-valuetext={known ? format.instant(shown, false) : undefined}
          min={now - length}
          max={now}
          step={step}
          value={known ? shown : now}
          onChange={(event) => {
            const ms = Number(event.currentTarget.value)
            setShown(ms)
            setTyped(localOf(ms))
            ask(ms)
          }}
        />
        <TextInput
          type="datetime-local"
          aria-label={t('past.dateTime')}
          max={localOf(now)}
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            const ms = Date.parse(event.currentTarget.value)
            if (!Number.isNaN(ms) && ms <= Date.now()) {
              setShown(ms)
              ask(ms)
            }
          }}
        />
        <NativeSelect
          aria-label={t('past.reach')}
          value={span}
          onChange={(event) => setSpan(event.currentTarget.value as SpanName)}
          data={(Object.keys(SPANS) as SpanName[]).map((name) => ({
            value: name,
            label: t(`past.spans.${name}`),
          }))}
        />
        <Button variant="default" onClick={() => look(undefined)}>
          {t('past.now')}
        </Button>
      </div>
    </section>
  )
}
