import { Tabs } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { Page } from '@/parts/Page'
import { DeviceConnections } from './DeviceConnections'
import { Programs } from './Programs'

/** Who is connected now: devices, and programs with their API keys. */
export function Connections() {
  const { t } = useTranslation()
  const { can } = useSession()
  const [address, setAddress] = useAddress()
  const seesPrograms = can('users:read')
  const tab = seesPrograms && address.tab === 'programs' ? 'programs' : 'devices'
  return (
    <Page
      title={t('places.connections')}
      lead={t('connections.lead')}
      calls={[
        tab === 'programs'
          ? { path: '/api/v1/programs' }
          : { path: '/api/v1/presence', query: { connected: 'true' } },
      ]}
    >
      <Tabs value={tab} onChange={(next) => setAddress({ tab: next ?? undefined })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="devices">{t('places.devices')}</Tabs.Tab>
          {seesPrograms && <Tabs.Tab value="programs">{t('connections.programs')}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value={tab}>{tab === 'programs' ? <Programs /> : <DeviceConnections />}</Tabs.Panel>
      </Tabs>
    </Page>
  )
}
