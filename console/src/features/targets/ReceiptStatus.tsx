import { useTranslation } from 'react-i18next'
import type { Receipt } from '@/api/types'
import { Status } from '@/parts/Status'
import { DELIVERY_TONE } from './words'

/** Show that it was accepted, or why it was given up. */
export function ReceiptStatus({ of }: { of: Receipt }) {
  const { t } = useTranslation()
  return (
    <Status tone={DELIVERY_TONE[of.outcome]}>
      {of.reason ? t(`deadReason.${of.reason}`) : t('deliveryState.accepted')}
    </Status>
  )
}
