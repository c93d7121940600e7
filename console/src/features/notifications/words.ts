import { useTranslation } from 'react-i18next'
import type { Notice } from '@/api/types'
import { useFormat } from '@/parts/format'
import type { Tone } from '@/parts/Status'

export const NOTICE_TONE: Tone = 'warning'

const ROOMS: Partial<Record<Notice['subjectKind'], string>> = {
  device: '/devices',
  application: '/applications',
  decoder: '/decoders',
  target: '/targets',
  source: '/sources',
}

/** Give the address of what a notice is about; null for the installation itself. */
export function placeOf(notice: Notice): string | null {
  const room = ROOMS[notice.subjectKind]
  return room ? `${room}/${notice.subjectId}` : null
}

/** Say in one sentence what a notice is about. */
export function useNoticeText() {
  const { t, i18n } = useTranslation()
  const format = useFormat()
  return (notice: Notice): string => {
    const detail = (notice.detail ?? {}) as Record<string, unknown>
    const number = (value: unknown) =>
      typeof value === 'number' ? format.number(value) : String(value ?? '')
    const key = `noticeKind.${notice.kind}`
    if (notice.kind === 'threshold') {
      const above = typeof detail.above === 'number' && Number(detail.value) > detail.above
      return t(above ? 'noticeKind.above' : 'noticeKind.below', {
        series: String(detail.series ?? notice.cause),
        value: number(detail.value),
        limit: number(above ? detail.above : detail.below),
      })
    }
    const text = i18n.exists(key) ? t(key as never) : notice.kind
    return typeof detail.error === 'string' && detail.error ? `${text}: ${detail.error}` : text
  }
}
