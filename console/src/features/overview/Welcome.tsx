import { Button, Text, ThemeIcon, Title } from '@mantine/core'
import { type Icon, IconDatabaseImport, IconPlugConnected, IconShip } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Call } from '@/api/curl'
import { useSession } from '@/features/auth/session'
import { Page } from '@/parts/Page'
import { StartDemo } from './Demo'
import classes from './Overview.module.css'

/** What the three ways call. */
const CALLS: Call[] = [
  {
    method: 'POST',
    path: '/api/v1/devices',
    body: { applicationId: '<application id>', name: 'Water level, Mill Bridge' },
  },
  { method: 'POST', path: '/api/v1/devices/<device id>/credentials', body: { kind: 'key' } },
  { method: 'POST', path: '/api/v1/demo' },
]

/** The first page: see a fleet, connect something, bring my data. */
export function Welcome() {
  const { t } = useTranslation()
  const { can } = useSession()
  const may = can('devices:manage')
  return (
    <Page title={t('welcome.title')} lead={may ? t('welcome.lead') : t('welcome.noRights')} calls={CALLS}>
      <div className={classes.ways}>
        <Way icon={IconPlugConnected} title={t('welcome.connect')} text={t('welcome.connectText')}>
          <Button component={Link} to="/connect" disabled={!may}>
            {t('places.connect')}
          </Button>
        </Way>
        <Way icon={IconShip} title={t('welcome.demo')} text={t('welcome.demoText')}>
          <StartDemo />
        </Way>
        <Way icon={IconDatabaseImport} title={t('welcome.bring')} text={t('welcome.bringText')}>
          <Button component={Link} to="/import" variant="default" disabled={!may}>
            {t('import.title')}
          </Button>
        </Way>
      </div>
    </Page>
  )
}

function Way({
  icon: Shape,
  title,
  text,
  children,
}: {
  icon: Icon
  title: string
  text: string
  children: ReactNode
}) {
  return (
    <section className={classes.way}>
      <ThemeIcon size={44} radius="md" variant="light">
        <Shape size={24} stroke={1.6} />
      </ThemeIcon>
      <Title order={2}>{title}</Title>
      <Text c="dimmed">{text}</Text>
      <div>{children}</div>
    </section>
  )
}
