import { Button, Tabs } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { useAddress, useMaking } from '@/parts/address'
import { Page } from '@/parts/Page'
import { PlanList } from './PlanList'
import { Subscriptions } from './Subscriptions'

/** How much may be asked of the API, and who is on which plan. */
export function Plans() {
  const { t } = useTranslation()
  const { can } = useSession()
  const [address, setAddress] = useAddress()
  const [making, setMaking] = useMaking()
  const tab = address.tab === 'subscriptions' ? 'subscriptions' : 'plans'
  const mayMake = tab === 'plans' ? can('organizations:manage') : can('users:manage')
  return (
    <Page
      title={t('places.plans')}
      lead={t('plans.lead')}
      action={
        mayMake && (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
            {t(tab === 'plans' ? 'plans.new' : 'plans.subscribe')}
          </Button>
        )
      }
      calls={[{ path: tab === 'plans' ? '/api/v1/plans' : '/api/v1/subscriptions' }]}
    >
      <Tabs value={tab} onChange={(next) => setAddress({ tab: next ?? undefined })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="plans">{t('places.plans')}</Tabs.Tab>
          <Tabs.Tab value="subscriptions">{t('plans.subscriptions')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value={tab}>
          {tab === 'plans' ? (
            <PlanList making={making} onMade={() => setMaking(false)} />
          ) : (
            <Subscriptions making={making} onMade={() => setMaking(false)} />
          )}
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}
