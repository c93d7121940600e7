import { Anchor, Button, Drawer, Group, Stack, Text } from '@mantine/core'
import { IconMailOff, IconSend } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { DeadLetter } from '@/api/types'
import { Bytes } from '@/parts/Bytes'
import { Code } from '@/parts/Code'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { FormFailure, useFailureText } from '@/parts/Failure'
import { fromBase64 } from '@/parts/hex'
import { failed, told } from '@/parts/notify'
import { Facts } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { discardDeadLetter, editDeadLetter, listDeadLetters, sendAgain, sendAllAgain } from './queries'

/** What was given up: to be seen, mended, sent again or thrown away. */
export function DeadLetters({ targetId, may }: { targetId: string; may: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  const [looked, setLooked] = useState<DeadLetter | null>(null)
  const list = usePages(['targets', targetId, 'dead-letters'], (after) => listDeadLetters(targetId, after), {
    refetchInterval: 5_000,
  })
  const refresh = () => void client.invalidateQueries({ queryKey: ['targets'] })
  const many = useMutation({
    mutationFn: async ({
      letters,
      act,
    }: {
      letters: DeadLetter[]
      act: (id: string) => Promise<unknown>
    }) => {
      await Promise.all(letters.map((one) => act(one.id)))
      return letters.length
    },
    onSuccess: (count) => told(t('deadLetters.done', { count })),
    onError: (failure) => failed(text(failure)),
    onSettled: refresh,
  })
  const all = useMutation({
    mutationFn: () => sendAllAgain(targetId),
    onSuccess: ({ count }) => told(t('deadLetters.sentAgain', { count })),
    onError: (failure) => failed(text(failure)),
    onSettled: refresh,
  })
  return (
    <>
      <DataList
        name="dead-letters"
        label={t('targets.deadLetters')}
        list={list}
        rowKey={(letter) => letter.id}
        onOpen={setLooked}
        tools={
          may &&
          list.items.length > 0 && (
            <Button
              variant="default"
              leftSection={<IconSend size={16} />}
              loading={all.isPending}
              onClick={() => all.mutate()}
            >
              {t('deadLetters.sendAll')}
            </Button>
          )
        }
        bulk={
          may
            ? (selected, clear) => (
                <Group gap="xs">
                  <Button
                    size="compact-sm"
                    loading={many.isPending}
                    onClick={() =>
                      many.mutate(
                        { letters: selected, act: (id) => sendAgain(targetId, id) },
                        { onSuccess: clear },
                      )
                    }
                  >
                    {t('deadLetters.send')}
                  </Button>
                  <Button
                    size="compact-sm"
                    color="red"
                    variant="light"
                    onClick={() =>
                      many.mutate(
                        { letters: selected, act: (id) => discardDeadLetter(targetId, id) },
                        { onSuccess: clear },
                      )
                    }
                  >
                    {t('deadLetters.discard')}
                  </Button>
                </Group>
              )
            : undefined
        }
        columns={[
          { key: 'device', label: t('fields.device'), width: '20%', cell: (letter) => letter.deviceName },
          {
            key: 'reason',
            label: t('messages.why'),
            width: '180px',
            cell: (letter) => t(`deadReason.${letter.reason}`),
          },
          { key: 'detail', label: t('messages.detail'), cell: (letter) => letter.detail || '–' },
          {
            key: 'attempts',
            label: t('operations.attempts'),
            numeric: true,
            width: '100px',
            cell: (letter) => letter.attempts,
          },
          {
            key: 'createdAt',
            label: t('deadLetters.since'),
            width: '140px',
            cell: (letter) => <Time at={letter.createdAt} />,
          },
        ]}
        empty={
          <Empty icon={IconMailOff} title={t('deadLetters.emptyTitle')}>
            {t('deadLetters.empty')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={560}
        title={t('deadLetters.one')}
      >
        {looked && (
          <Letter
            key={looked.id}
            letter={looked}
            targetId={targetId}
            may={may}
            onDone={() => {
              setLooked(null)
              refresh()
            }}
          />
        )}
      </Drawer>
    </>
  )
}

interface LetterProps {
  letter: DeadLetter
  targetId: string
  may: boolean
  onDone: () => void
}

function Letter({ letter, targetId, may, onDone }: LetterProps) {
  const { t } = useTranslation()
  const kept = letter.payload === null ? JSON.stringify(letter.document, null, 2) : ''
  const [document, setDocument] = useState(kept)
  const [wrong, setWrong] = useState<string | null>(null)
  const send = useMutation({
    mutationFn: async () => {
      if (document !== kept) await editDeadLetter(targetId, letter.id, JSON.parse(document))
      return sendAgain(targetId, letter.id)
    },
    onSuccess: () => {
      told(t('deadLetters.sentAgain', { count: 1 }))
      onDone()
    },
  })
  const discard = useMutation({ mutationFn: () => discardDeadLetter(targetId, letter.id), onSuccess: onDone })
  const submit = () => {
    try {
      if (document !== kept) JSON.parse(document)
      setWrong(null)
      send.mutate()
    } catch (failure) {
      setWrong((failure as Error).message)
    }
  }
  return (
    <Stack>
      <Text>{letter.detail}</Text>
      {letter.reason === 'decoder' && <Text c="dimmed">{t('deadLetters.decoderHelp')}</Text>}
      <Facts
        rows={[
          [
            t('fields.device'),
            <Anchor key="device" component={Link} to={`/devices/${letter.deviceId}`}>
              {letter.deviceName}
            </Anchor>,
          ],
          [t('messages.received'), <Time key="received" at={letter.receivedAt} />],
          [t('messages.why'), t(`deadReason.${letter.reason}`)],
          [t('operations.attempts'), String(letter.attempts)],
          [t('targets.code'), letter.status === null ? null : String(letter.status)],
        ]}
      />
      {letter.answer && <CodeBlock code={letter.answer} label={t('operations.answer')} />}
      {letter.payload === null ? (
        <Code
          label={t('trial.document')}
          language="json"
          value={document}
          onChange={may ? setDocument : undefined}
          height={260}
        />
      ) : (
        <Bytes bytes={fromBase64(letter.payload)} />
      )}
      {wrong && (
        <Text c="red" role="alert">
          {t('forms.notJson', { problem: wrong })}
        </Text>
      )}
      <FormFailure of={send.error ?? discard.error} />
      {may && (
        <Group justify="flex-end">
          <Button variant="light" color="red" loading={discard.isPending} onClick={() => discard.mutate()}>
            {t('deadLetters.discard')}
          </Button>
          <Button leftSection={<IconSend size={16} />} loading={send.isPending} onClick={submit}>
            {document === kept ? t('deadLetters.send') : t('deadLetters.saveAndSend')}
          </Button>
        </Group>
      )}
    </Stack>
  )
}
