import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { Suggestions } from '@/features/decoders/Suggestions'
import { isUnknown } from '@/features/telemetry/latest'
import { messagesOfQuery } from '@/features/telemetry/queries'
import { told } from '@/parts/notify'
import { changeDevice, deviceQuery } from './queries'

/** Offer decoders to a device that has none and whose last message nobody understood. */
export function UnknownBytes({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can } = useSession()
  const device = useQuery(deviceQuery(deviceId)).data
  const may =
    device !== undefined &&
    device.decoderId === null &&
    can('devices:manage', device.organizationId) &&
    can('messages:read', device.organizationId) &&
    can('decoders:read', device.organizationId)
  const messages = useQuery({ ...messagesOfQuery(deviceId), enabled: may }).data?.items ?? []
  if (!may || !messages[0] || !isUnknown(messages[0])) return null
  const choose = async (decoderId: string, name: string) => {
    await changeDevice(deviceId, null, { decoderId })
    await client.invalidateQueries({ queryKey: deviceQuery(deviceId).queryKey })
    told(t('suggest.set', { name }))
  }
  return (
    <Suggestions
      messages={messages.filter(isUnknown)}
      organizationId={device.organizationId}
      onChoose={choose}
    />
  )
}
