import { Modal, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type Icon, IconApps, IconCornerDownLeft, IconCpu, IconPlus, IconSearch } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { findDevices } from '@/features/devices/queries'
import { findApplications } from '@/features/groups/queries'
import { useGo } from '@/parts/go'
import { OTHERS, SECTIONS } from './destinations'
import classes from './Palette.module.css'

interface Hit {
  key: string
  icon: Icon
  label: string
  kind: string
  to: string
}

/** Find things and go to places from the keyboard. */
export function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const go = useGo()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const hits = useHits(text)
  const open = (hit: Hit | undefined) => {
    if (!hit) return
    onClose()
    go(hit.to)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && hits.length) {
      event.preventDefault()
      setAt((at + step + hits.length) % hits.length)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      open(hits[at])
    }
  }
  return (
    <Modal
      opened
      onClose={onClose}
      withCloseButton={false}
      padding={0}
      size={560}
      yOffset="12vh"
      title={null}
      aria-label={t('palette.open')}
    >
      <TextInput
        data-autofocus
        variant="unstyled"
        size="lg"
        leftSection={<IconSearch size={18} />}
        placeholder={t('palette.placeholder')}
        aria-label={t('palette.placeholder')}
        role="combobox"
        aria-expanded="true"
        aria-controls="palette"
        aria-activedescendant={hits[at] ? `hit-${hits[at].key}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
        }}
        onKeyDown={onKeyDown}
        className={classes.input}
      />
      <div id="palette" role="listbox" aria-label={t('palette.open')} className={classes.hits}>
        {hits.map((hit, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above walks the list by keyboard.
          <div
            key={hit.key}
            id={`hit-${hit.key}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            className={classes.hit}
            ref={i === at ? (element) => element?.scrollIntoView({ block: 'nearest' }) : undefined}
            onMouseMove={() => setAt(i)}
            onClick={() => open(hit)}
          >
            <hit.icon size={17} stroke={1.7} aria-hidden="true" />
            <span>{hit.label}</span>
            <Text span fz="xs" c="dimmed">
              {hit.kind}
            </Text>
            {i === at && <IconCornerDownLeft size={14} aria-hidden="true" />}
          </div>
        ))}
        {hits.length === 0 && (
          <Text c="dimmed" p="md">
            {t('palette.nothing')}
          </Text>
        )}
      </div>
    </Modal>
  )
}

function useHits(text: string): Hit[] {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const [asked] = useDebouncedValue(text.trim(), 150)
  const devices = useQuery({
    queryKey: ['devices', 'find', organizationId, asked],
    queryFn: () => findDevices(asked, organizationId),
    enabled: asked.length > 1 && can('devices:read'),
  })
  const applications = useQuery({
    queryKey: ['applications', 'find', organizationId, asked],
    queryFn: () => findApplications(asked, organizationId),
    enabled: asked.length > 1 && can('applications:read'),
  })
  const words = text.trim().toLowerCase()
  const matches = (label: string) => label.toLowerCase().includes(words)
  const places = [...SECTIONS.flatMap((section) => section.places), ...OTHERS]
    .filter((place) => !place.needs || can(place.needs))
    .map((place) => ({
      key: place.key,
      icon: place.icon,
      label: t(`places.${place.key}`),
      kind: t('palette.page'),
      to: place.to,
    }))
  const actions: Hit[] = can('applications:manage')
    ? [
        {
          key: 'new-application',
          icon: IconPlus,
          label: t('applications.new'),
          kind: t('palette.action'),
          to: '/applications?new=true',
        },
      ]
    : []
  return [
    ...(asked.length > 1 ? (devices.data?.items ?? []) : []).map((d) => ({
      key: d.id,
      icon: IconCpu,
      label: d.name,
      kind: t('palette.device'),
      to: `/devices/${d.id}`,
    })),
    ...(asked.length > 1 ? (applications.data?.items ?? []) : []).map((a) => ({
      key: a.id,
      icon: IconApps,
      label: a.name,
      kind: t('palette.application'),
      to: `/applications/${a.id}`,
    })),
    ...[...places, ...actions].filter((hit) => matches(hit.label)),
  ]
}
