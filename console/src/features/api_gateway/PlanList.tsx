import { Button, Group, Text } from '@mantine/core'
import { IconGauge } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Plan } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { EditPlan, NewPlan } from './PlanForm'
import { listPlans, removePlan } from './queries'

/** Give the words for what a plan allows. */
export function useBounds() {
  const { t } = useTranslation()
  const format = useFormat()
  return (plan: Plan) => [
    t('plans.rate', { rate: format.number(plan.requestsPerSecond), burst: format.number(plan.burst) }),
    ...(plan.requests === null
      ? []
      : [
          `${t('plans.requestsBound', { number: format.number(plan.requests) })} ${t('plans.byPeriod', { period: format.duration(plan.period) })}`,
        ]),
    ...(plan.dataBytes === null
      ? []
      : [`${format.bytes(plan.dataBytes)} ${t('plans.byPeriod', { period: format.duration(plan.period) })}`]),
  ]
}

/** The plans of the installation and of one's organizations. */
export function PlanList({ making, onMade }: { making: boolean; onMade: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can } = useSession()
  const [address, setAddress] = useAddress()
  const [editing, setEditing] = useState<Plan | null>(null)
  const [removing, setRemoving] = useState<Plan | null>(null)
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const bounds = useBounds()
  const filter = { q: address.q }
  const list = usePages(['plans', filter], (after) => listPlans(filter, after))
  const refresh = () => void client.invalidateQueries({ queryKey: ['plans'] })
  const mayChange = (plan: Plan) =>
    plan.organizationId ? can('organizations:manage', plan.organizationId) : can('installation:manage')
  return (
    <>
      <DataList
        name="plans"
        label={t('places.plans')}
        list={list}
        rowKey={(plan) => plan.id}
        tools={<Filters name="plans" search="q" value={filter} onChange={setAddress} />}
        columns={[
          {
            key: 'name',
            label: t('fields.name'),
            cell: (plan) => (
              <>
                {plan.name}
                <Text fz="sm" c="dimmed">
                  {plan.description}
                </Text>
              </>
            ),
          },
          {
            key: 'bounds',
            label: t('plans.bounds'),
            cell: (plan) => {
              const [rate, ...quotas] = bounds(plan)
              return (
                <>
                  {rate}
                  <Text fz="sm" c="dimmed">
                    {quotas.join(' · ')}
                  </Text>
                </>
              )
            },
          },
          {
            key: 'forWhom',
            label: t('plans.forWhom'),
            width: '200px',
            cell: (plan) =>
              plan.organizationId
                ? (organizations.find((one) => one.id === plan.organizationId)?.name ?? '…')
                : t('plans.installation'),
          },
          {
            key: 'needsApproval',
            label: t('plans.approval'),
            width: '120px',
            cell: (plan) => t(plan.needsApproval ? 'common.yes' : 'common.no'),
          },
          {
            key: 'act',
            label: '',
            width: '180px',
            cell: (plan) =>
              mayChange(plan) && (
                <Group gap={4} wrap="nowrap">
                  <Button size="compact-sm" variant="subtle" onClick={() => setEditing(plan)}>
                    {t('common.edit')}
                  </Button>
                  <Button size="compact-sm" variant="subtle" color="red" onClick={() => setRemoving(plan)}>
                    {t('common.remove')}
                  </Button>
                </Group>
              ),
          },
        ]}
        empty={
          <Empty icon={IconGauge} title={t('plans.emptyTitle')}>
            {t('plans.empty')}
          </Empty>
        }
      />
      {making && (
        <NewPlan
          onClose={onMade}
          onDone={() => {
            onMade()
            refresh()
          }}
        />
      )}
      {editing && (
        <EditPlan
          id={editing.id}
          onClose={() => setEditing(null)}
          onDone={() => {
            setEditing(null)
            refresh()
          }}
        />
      )}
      {removing && (
        <Confirm
          title={t('plans.remove')}
          action={t('common.remove')}
          act={() => removePlan(removing.id)}
          onClose={() => setRemoving(null)}
          onDone={refresh}
        >
          {t('plans.removeAsk', { name: removing.name })}
        </Confirm>
      )}
    </>
  )
}
