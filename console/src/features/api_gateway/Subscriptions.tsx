import { Button, Group, Select, Stack, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconGauge } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { PlanSubscription } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { failed, told } from '@/parts/notify'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { useBounds } from './PlanList'
import {
  approveSubscription,
  endSubscription,
  listSubscriptions,
  plansQuery,
  refuseSubscription,
  subscribe,
  useSubscribers,
} from './queries'

const TONES: Record<PlanSubscription['state'], Tone> = { asked: 'waiting', active: 'good', refused: 'bad' }

/** Who is on which plan, and who would like to be. */
export function Subscriptions({ making, onMade }: { making: boolean; onMade: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  const { can, organizationId } = useSession()
  const [ending, setEnding] = useState<PlanSubscription | null>(null)
  const plans = useQuery(plansQuery).data?.items ?? []
  const { nameOf } = useSubscribers()
  const list = usePages(['subscriptions', organizationId], (after) =>
    listSubscriptions({ organizationId }, after),
  )
  const refresh = () => void client.invalidateQueries({ queryKey: ['subscriptions'] })
  const decide = useMutation({
    mutationFn: ({ id, agree }: { id: string; agree: boolean }) =>
      agree ? approveSubscription(id) : refuseSubscription(id),
    onSuccess: refresh,
    onError: (failure) => failed(text(failure)),
  })
  const planOf = (one: PlanSubscription) => plans.find((plan) => plan.id === one.planId)
  const mayDecide = (one: PlanSubscription) => {
    const home = planOf(one)?.organizationId
    return home ? can('organizations:manage', home) : can('installation:manage')
  }
  return (
    <>
      <DataList
        name="subscriptions"
        label={t('plans.subscriptions')}
        list={list}
        rowKey={(one) => one.id}
        columns={[
          {
            key: 'who',
            label: t('plans.subscriber'),
            cell: (one) => (
              <>
                {nameOf(one.subscriberId) ?? one.subscriberId.slice(-6)}
                <Text fz="sm" c="dimmed">
                  {t(`plans.kind.${one.subscriberKind}`)}
                </Text>
              </>
            ),
          },
          { key: 'plan', label: t('plans.plan'), cell: (one) => planOf(one)?.name ?? '…' },
          {
            key: 'state',
            label: t('plans.state'),
            width: '180px',
            cell: (one) => <Status tone={TONES[one.state]}>{t(`plans.${one.state}`)}</Status>,
          },
          {
            key: 'since',
            label: t('plans.since'),
            width: '140px',
            cell: (one) => <Time at={one.decidedAt ?? one.createdAt} />,
          },
          {
            key: 'act',
            label: '',
            width: '240px',
            cell: (one) => (
              <Group gap={4} wrap="nowrap">
                {one.state === 'asked' && mayDecide(one) && (
                  <>
                    <Button
                      size="compact-sm"
                      variant="light"
                      onClick={() => decide.mutate({ id: one.id, agree: true })}
                    >
                      {t('plans.approve')}
                    </Button>
                    <Button
                      size="compact-sm"
                      variant="subtle"
                      color="red"
                      onClick={() => decide.mutate({ id: one.id, agree: false })}
                    >
                      {t('plans.refuse')}
                    </Button>
                  </>
                )}
                {(mayDecide(one) || can('users:manage', one.organizationId)) && (
                  <Button size="compact-sm" variant="subtle" color="red" onClick={() => setEnding(one)}>
                    {t('plans.end')}
                  </Button>
                )}
              </Group>
            ),
          },
        ]}
        empty={
          <Empty icon={IconGauge} title={t('plans.noSubscriptionsTitle')}>
            {t('plans.noSubscriptions')}
          </Empty>
        }
      />
      {making && (
        <Subscribe
          onClose={onMade}
          onDone={(made) => {
            told(t(made.state === 'asked' ? 'plans.waits' : 'plans.approved'))
            onMade()
            refresh()
          }}
        />
      )}
      {ending && (
        <Confirm
          title={t('plans.end')}
          action={t('plans.end')}
          act={() => endSubscription(ending.id)}
          onClose={() => setEnding(null)}
          onDone={refresh}
        >
          {t('plans.endAsk', { name: nameOf(ending.subscriberId) ?? '…' })}
        </Confirm>
      )}
    </>
  )
}

type Kind = PlanSubscription['subscriberKind']
const KINDS: Kind[] = ['apiKey', 'client', 'organization', 'user']

function Subscribe({ onClose, onDone }: { onClose: () => void; onDone: (made: PlanSubscription) => void }) {
  const { t } = useTranslation()
  const { can } = useSession()
  const { found } = useSubscribers()
  const bounds = useBounds()
  const plans = useQuery(plansQuery).data?.items ?? []
  const form = useForm({
    initialValues: { subscriber: '', planId: '' },
    validate: {
      subscriber: (v) => (v ? null : t('forms.choose')),
      planId: (v) => (v ? null : t('forms.choose')),
    },
  })
  const make = useMutation({
    mutationFn: ({ subscriber, planId }: typeof form.values) => {
      const [subscriberKind, subscriberId] = subscriber.split(':') as [Kind, string]
      return subscribe({ planId, subscriberKind, subscriberId })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: onDone,
  })
  const chosen = plans.find((plan) => plan.id === form.values.planId)
  const kinds = can('installation:manage') ? KINDS : KINDS.filter((kind) => kind !== 'user')
  return (
    <FormModal
      title={t('plans.subscribe')}
      action={t('plans.subscribe')}
      onSubmit={form.onSubmit((values) => make.mutate(values))}
      onClose={onClose}
      pending={make.isPending}
      failure={make.error}
    >
      <Stack>
        <Select
          label={t('plans.subscriber')}
          searchable
          withAsterisk
          data={kinds.map((kind) => ({
            group: t(`plans.kind.${kind}`),
            items: found[kind].map((one: { id: string; name: string }) => ({
              value: `${kind}:${one.id}`,
              label: one.name,
            })),
          }))}
          {...form.getInputProps('subscriber')}
        />
        <Select
          label={t('plans.plan')}
          searchable
          withAsterisk
          description={chosen && bounds(chosen).join(' · ')}
          data={plans.map((plan) => ({ value: plan.id, label: plan.name }))}
          {...form.getInputProps('planId')}
        />
      </Stack>
    </FormModal>
  )
}
