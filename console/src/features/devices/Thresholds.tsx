import { ActionIcon, Autocomplete, Button, Group, NumberInput, Stack, Text } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { latestQuery } from '@/features/telemetry/queries'
import { DurationInput } from '@/parts/DurationInput'
import { FormFailure } from '@/parts/Failure'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { changeDevice } from './queries'

interface Limit {
  series: string
  above: number | ''
  below: number | ''
}

/** When a device asks for attention: silence, and values beyond limits. */
export function Thresholds({ device }: { device: Device & { etag: string | null } }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const known = useQuery(latestQuery(device.id)).data?.latest ?? []
  const [silentAfter, setSilentAfter] = useState(device.silentAfter ?? null)
  const [limits, setLimits] = useState<Limit[]>(
    device.thresholds.map((one) => ({ series: one.series, above: one.above ?? '', below: one.below ?? '' })),
  )
  const save = useMutation({
    mutationFn: () =>
      changeDevice(device.id, device.etag, {
        silentAfter,
        thresholds: limits
          .filter((one) => one.series && (one.above !== '' || one.below !== ''))
          .map((one) => ({
            series: one.series,
            above: one.above === '' ? null : one.above,
            below: one.below === '' ? null : one.below,
            hysteresis: device.thresholds.find((before) => before.series === one.series)?.hysteresis ?? 0,
          })),
      }),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['devices'] })
    },
  })
  const set = (at: number, change: Partial<Limit>) =>
    setLimits(limits.map((one, i) => (i === at ? { ...one, ...change } : one)))
  const numeric = known.filter((one) => typeof one.value === 'number').map((one) => one.series)
  return (
    <Panel title={t('thresholds.title')}>
      <Stack>
        <DurationInput
          label={t('fields.silentAfter')}
          description={t('thresholds.silentHelp')}
          placeholder={t('thresholds.silentDefault')}
          value={silentAfter}
          onChange={setSilentAfter}
        />
        {limits.map((limit, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: limits have no other identity while typed.
          <Group key={i} gap={6} wrap="nowrap" align="flex-end">
            <Autocomplete
              flex={2}
              label={t('thresholds.series')}
              data={numeric}
              value={limit.series}
              onChange={(series) => set(i, { series })}
            />
            <NumberInput
              flex={1}
              label={t('thresholds.below')}
              value={limit.below}
              onChange={(below) => set(i, { below: typeof below === 'number' ? below : '' })}
            />
            <NumberInput
              flex={1}
              label={t('thresholds.above')}
              value={limit.above}
              onChange={(above) => set(i, { above: typeof above === 'number' ? above : '' })}
            />
            <ActionIcon
              size={34}
              aria-label={t('common.removeName', { name: limit.series })}
              onClick={() => setLimits(limits.filter((_, j) => j !== i))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        {limits.length === 0 && (
          <Text fz="sm" c="dimmed">
            {t('thresholds.none')}
          </Text>
        )}
        <FormFailure of={save.error} />
        <Group justify="space-between">
          <Button
            variant="subtle"
            size="compact-sm"
            leftSection={<IconPlus size={14} />}
            onClick={() => setLimits([...limits, { series: numeric[0] ?? '', above: '', below: '' }])}
          >
            {t('thresholds.add')}
          </Button>
          <Button onClick={() => save.mutate()} loading={save.isPending}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </Panel>
  )
}
