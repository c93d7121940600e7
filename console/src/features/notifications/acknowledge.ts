import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Notice } from '@/api/types'
import { useFailureText } from '@/parts/Failure'
import { failed, told } from '@/parts/notify'
import { acknowledgeNotice } from './queries'

/** Take notices up, one or many. */
export function useAcknowledge() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  return useMutation({
    mutationFn: (notices: Notice[]) =>
      Promise.all(notices.filter((n) => n.state === 'open').map((n) => acknowledgeNotice(n.id))),
    onSuccess: (done) => told(t('notices.acknowledged', { count: done.length })),
    onError: (failure) => failed(text(failure)),
    onSettled: () => void client.invalidateQueries({ queryKey: ['notices'] }),
  })
}
