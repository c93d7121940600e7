import { useTranslation } from 'react-i18next'
import { Status } from '@/parts/Status'

/** What came of a message: values, a problem, or nothing. */
export function Result({ problem, values }: { problem: boolean; values: object }) {
  const { t } = useTranslation()
  if (problem) return <Status tone="bad">{t('messages.problem')}</Status>
  if (Object.keys(values).length === 0) return <Status tone="quiet">{t('messages.noValues')}</Status>
  return <Status tone="good">{t('messages.decoded')}</Status>
}
