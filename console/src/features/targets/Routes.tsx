import { ActionIcon, Button, Group, Menu, Switch } from '@mantine/core'
import { IconDots, IconPlus, IconRoute } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Route, Target } from '@/api/types'
import { usableDecodersQuery } from '@/features/decoders/queries'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { failed } from '@/parts/notify'
import { changeRoute, listRoutes, removeRoute } from './queries'
import { RouteForm } from './RouteForm'
import { formOf } from './words'

/** Which devices' messages go to a target, in which form, how many of them. */
export function Routes({ target, may }: { target: Target; may: boolean }) {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const client = useQueryClient()
  const [edited, setEdited] = useState<Route | 'new' | null>(null)
  const [removing, setRemoving] = useState<Route | null>(null)
  const decoders = useQuery(usableDecodersQuery(target.organizationId)).data
  const list = usePages(['routes', target.id], (after) => listRoutes(target.id, after))
  const refresh = () => void client.invalidateQueries({ queryKey: ['routes'] })
  const turn = useMutation({
    mutationFn: (route: Route) => changeRoute(route.id, { enabled: !route.enabled }),
    onSettled: refresh,
    onError: (failure) => failed(text(failure)),
  })
  const make = may && (
    <Button variant="light" leftSection={<IconPlus size={16} />} onClick={() => setEdited('new')}>
      {t('routes.new')}
    </Button>
  )
  return (
    <>
      <DataList
        name="routes"
        label={t('routes.title')}
        list={list}
        rowKey={(route) => route.id}
        onOpen={may ? setEdited : undefined}
        tools={make}
        columns={[
          { key: 'name', label: t('fields.name'), cell: (route) => route.name },
          {
            key: 'devices',
            label: t('places.devices'),
            cell: (route) =>
              [
                route.deviceIds
                  ? t('map.devices', { count: route.deviceIds.length })
                  : t('routes.everyDevice'),
                ...route.tags.map((tag) => `#${tag}`),
              ].join(' · '),
          },
          {
            key: 'source',
            label: t('routes.source'),
            width: '230px',
            cell: (route) =>
              [
                t(`routes.sources.${formOf(route)}`),
                decoders?.find((one) => one.id === route.decoderId)?.name,
              ]
                .filter(Boolean)
                .join(' · '),
          },
          {
            key: 'conditions',
            label: t('routes.conditions'),
            cell: (route) =>
              route.conditions
                .map((one) => `${one.field} ${t(`comparison.${one.comparison}`)} ${one.value ?? ''}`.trim())
                .join(', ') || '–',
          },
          {
            key: 'sampling',
            label: t('routes.sampling'),
            cell: (route) =>
              route.sampling.every
                ? t('routes.everyNth', { n: route.sampling.every })
                : route.sampling.interval
                  ? t('routes.onePer', { interval: format.duration(route.sampling.interval) })
                  : t('routes.all'),
          },
          {
            key: 'enabled',
            label: t('routes.enabled'),
            width: '150px',
            cell: (route) => (
              <Group gap={6} wrap="nowrap" justify="space-between">
                <Switch
                  size="sm"
                  aria-label={t('routes.enabled')}
                  checked={route.enabled}
                  disabled={!may}
                  onChange={() => turn.mutate(route)}
                />
                {may && (
                  <Menu position="bottom-end" shadow="md">
                    <Menu.Target>
                      <ActionIcon aria-label={t('common.more')}>
                        <IconDots size={16} />
                      </ActionIcon>
                    </Menu.Target>
                    <Menu.Dropdown>
                      <Menu.Item onClick={() => setEdited(route)}>{t('common.edit')}</Menu.Item>
                      <Menu.Item c="red" onClick={() => setRemoving(route)}>
                        {t('common.remove')}
                      </Menu.Item>
                    </Menu.Dropdown>
                  </Menu>
                )}
              </Group>
            ),
          },
        ]}
        empty={
          <Empty icon={IconRoute} title={t('routes.emptyTitle')}>
            {t('routes.empty')}
          </Empty>
        }
      />
      {edited && (
        <RouteForm
          target={target}
          route={edited === 'new' ? undefined : edited}
          onClose={() => setEdited(null)}
        />
      )}
      {removing && (
        <Confirm
          title={t('routes.remove')}
          action={t('common.remove')}
          act={() => removeRoute(removing.id)}
          onClose={() => setRemoving(null)}
          onDone={refresh}
        >
          {t('routes.removeAsk', { name: removing.name })}
        </Confirm>
      )}
    </>
  )
}
