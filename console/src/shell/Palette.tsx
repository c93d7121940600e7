import { Modal, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import {
  type Icon,
  IconAntenna,
  IconApps,
  IconBuilding,
  IconCode,
  IconCornerDownLeft,
  IconCpu,
  IconSearch,
  IconSend2,
  IconUser,
  IconUsersGroup,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Permission } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { findDecoders } from '@/features/decoders/queries'
import { findDevices } from '@/features/devices/queries'
import { findApplications } from '@/features/groups/queries'
import { findOrganizations, listGroups } from '@/features/organizations/queries'
import { findSources } from '@/features/sources/queries'
import { findTargets } from '@/features/targets/queries'
import { findUsers } from '@/features/users/queries'
import { useGo } from '@/parts/go'
import { type Action, useActions, useDeviceActions } from './actions'
import { OTHERS, SECTIONS } from './destinations'
import classes from './Palette.module.css'

interface Hit extends Action {
  kind: string
}

const MOST = 6

/** Find things, go to places and do what is done every day, from the keyboard. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const go = useGo()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const hits = useHits(text)
  const open = (hit: Hit | undefined) => {
    if (!hit) return
    onClose()
    hit.act?.()
    if (hit.to) go(hit.to)
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

/** What a list gives for the words, where one may read it. */
function useFound<T extends { id: string }>(
  key: string,
  needs: Permission,
  words: string,
  find: () => Promise<{ items: T[] }>,
): T[] {
  const { can, organizationId } = useSession()
  const asks = words.length > 1 && can(needs)
  const found = useQuery({ queryKey: [key, 'find', organizationId, words], queryFn: find, enabled: asks })
  return asks ? (found.data?.items ?? []) : []
}

function useHits(text: string): Hit[] {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const [asked] = useDebouncedValue(text.trim(), 150)
  const words = text.trim().toLowerCase()
  const matches = (one: { label: string }) => one.label.toLowerCase().includes(words)
  const devices = useFound('devices', 'devices:read', asked, () => findDevices(asked, organizationId))
  const applications = useFound('applications', 'applications:read', asked, () =>
    findApplications(asked, organizationId),
  )
  const decoders = useFound('decoders', 'decoders:read', asked, () => findDecoders(asked, organizationId))
  const sources = useFound('sources', 'sources:read', asked, () => findSources(asked, organizationId))
  const targets = useFound('targets', 'targets:read', asked, () => findTargets(asked, organizationId))
  const users = useFound('users', 'users:read', asked, () => findUsers(asked, organizationId))
  const organizations = useFound('organizations', 'organizations:read', asked, () => findOrganizations(asked))
  // Their list takes no words; there are few.
  const groups = useFound('permissions', 'users:read', asked && 'all', () => listGroups(organizationId))
  const places = [...SECTIONS.flatMap((section) => section.places), ...OTHERS]
    .filter((place) => !place.needs || can(place.needs))
    .map((place) => ({
      key: place.key,
      icon: place.icon,
      label: t(`places.${place.key}`),
      kind: t('palette.page'),
      to: place.to,
    }))
  const here = useDeviceActions()
  const ofDevice = here.actions.map((one) => ({ ...one, kind: here.name }))
  const actions = useActions().map((one) => ({ ...one, kind: t('palette.action') }))
  const hits = (icon: Icon, kind: string, room: string, found: { id: string; name: string }[]): Hit[] =>
    found.map(({ id, name }) => ({ key: id, icon, label: name, kind, to: `${room}/${id}` }))
  return [
    ...ofDevice.filter(matches),
    ...hits(IconCpu, t('palette.device'), '/devices', devices),
    ...hits(IconApps, t('palette.application'), '/applications', applications),
    ...hits(IconCode, t('palette.decoder'), '/decoders', decoders),
    ...hits(IconAntenna, t('palette.source'), '/sources', sources),
    ...hits(IconSend2, t('palette.target'), '/targets', targets),
    ...hits(IconBuilding, t('palette.organization'), '/organizations', organizations),
    ...users.map((user) => ({
      key: user.id,
      icon: IconUser,
      label: user.name,
      kind: t('palette.user'),
      to: `/users?q=${encodeURIComponent(user.email ?? user.name)}&user=${user.id}`,
    })),
    ...hits(IconUsersGroup, t('palette.group'), '/permissions', groups).filter(matches).slice(0, MOST),
    ...[...actions, ...places].filter(matches),
  ]
}
