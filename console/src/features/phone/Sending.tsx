import { Alert, Button, Group, Slider, Stack, Text, TextInput, Title } from '@mantine/core'
import { IconAlertTriangle, IconInfoCircle, IconSend } from '@tabler/icons-react'
import { type FormEvent, useCallback, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import { answerCommand, type Command, sendUp } from '@/api/uplink'
import { FormFailure } from '@/parts/Failure'
import { fromBase64, toHex } from '@/parts/hex'
import { Facts } from '@/parts/Panel'
import type { Identity } from './identity'
import { atOnce, followBattery, followMotion, followPlace, type Sensed, sensorsAllowed } from './sensors'

const EVERY_MS = 5_000
const KEPT = 20

interface Props {
  identity: Identity
  leave: () => void
}

/** Send what this phone senses every few seconds, and show which commands came with the answers. */
export function Sending({ identity, leave }: Props) {
  const { t } = useTranslation()
  const sensed = useRef<Sensed>({})
  const [shown, setShown] = useState<Sensed>({})
  const [count, setCount] = useState(0)
  const [failure, setFailure] = useState<unknown>(null)
  const [commands, setCommands] = useState<(Command & { at: string })[]>([])
  const [presses, setPresses] = useState(0)
  const [slider, setSlider] = useState(50)
  const [text, setText] = useState('')
  const { secret } = identity

  const keep = useCallback((more: Sensed) => Object.assign(sensed.current, more), [])
  const send = useCallback(
    async (more: Sensed = {}) => {
      const message = { ...atOnce(), ...sensed.current, ...more }
      try {
        const came = await sendUp(secret, message)
        setShown(message)
        setCount((before) => before + 1)
        setFailure(null)
        if (came.length === 0) return
        const at = new Date().toLocaleTimeString()
        setCommands((before) => [...came.map((one) => ({ ...one, at })), ...before].slice(0, KEPT))
        if ('vibrate' in navigator) navigator.vibrate(200)
        for (const one of came) await answerCommand(secret, one.id, { shown: true })
      } catch (failed) {
        setFailure(failed)
      }
    },
    [secret],
  )

  useEffect(() => {
    void followBattery(keep)
    let over = false
    let timer: ReturnType<typeof setTimeout>
    // The next one waits for the answer: a slow network gets no queue.
    const next = async () => {
      if (document.visibilityState === 'visible') await send()
      if (!over) timer = setTimeout(() => void next(), EVERY_MS)
    }
    void next()
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [keep, send])

  const press = () => {
    keep({ presses: presses + 1 })
    setPresses(presses + 1)
    void send()
  }
  const say = (event: FormEvent) => {
    event.preventDefault()
    void send({ text })
    setText('')
  }
  const gone = failure instanceof Problem && failure.code === 'ingest.sender_unknown'
  return (
    <Stack gap="lg">
      <div>
        <Title order={1}>{identity.name}</Title>
        <Text c="dimmed">{t('phone.sent', { count })}</Text>
      </div>
      {gone ? (
        <Alert color="red" icon={<IconAlertTriangle size={18} />} title={t('phone.gone')} role="alert">
          {t('phone.goneHelp')}
        </Alert>
      ) : (
        <FormFailure of={failure} />
      )}
      <Button size="xl" h={96} onClick={press}>
        {t('phone.press')}
      </Button>
      <div>
        <Text component="label" fz="sm" fw={500} id="phone-slider">
          {t('phone.slider')}: {slider}
        </Text>
        <Slider
          size="xl"
          mt={8}
          label={null}
          thumbProps={{ 'aria-labelledby': 'phone-slider' }}
          value={slider}
          onChange={setSlider}
          onChangeEnd={(value) => {
            keep({ slider: value })
            void send()
          }}
        />
      </div>
      <form onSubmit={say}>
        <Group align="end" wrap="nowrap">
          <TextInput
            flex={1}
            label={t('messages.text')}
            size="md"
            maxLength={200}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Button type="submit" size="md" leftSection={<IconSend size={18} />} disabled={!text.trim()}>
            {t('phone.send')}
          </Button>
        </Group>
      </form>
      <Sensors tell={keep} />
      <section aria-label={t('phone.commands')}>
        <Title order={2}>{t('phone.commands')}</Title>
        <Stack gap={4} mt={8} role="log">
          {commands.length === 0 && <Text c="dimmed">{t('phone.noCommands')}</Text>}
          {commands.map((one) => (
            <Text key={one.id} style={{ overflowWrap: 'anywhere' }}>
              <Text span c="dimmed" fz="sm">
                {one.at}
              </Text>{' '}
              <b>{one.payload.base64 ? toHex(fromBase64(one.payload.base64)) : one.payload.code}</b>{' '}
              {one.payload.payload == null ? '' : JSON.stringify(one.payload.payload)}
            </Text>
          ))}
        </Stack>
      </section>
      <section aria-label={t('phone.last')}>
        <Title order={2}>{t('phone.last')}</Title>
        <Facts rows={Object.entries(shown).map(([name, value]) => [name, String(value)])} />
      </section>
      <Button variant="default" onClick={leave}>
        {t('phone.leave')}
      </Button>
    </Stack>
  )
}

/** The sensors a browser gives only when asked, and only where it trusts the address. */
function Sensors({ tell }: { tell: (sensed: Sensed) => void }) {
  const { t } = useTranslation()
  const [motion, setMotion] = useState<boolean | null>(null)
  const [place, setPlace] = useState<boolean | null>(null)
  if (!sensorsAllowed()) {
    return (
      <Alert role="note" icon={<IconInfoCircle size={18} />} color="gray" variant="light">
        {t('phone.insecure')}
      </Alert>
    )
  }
  const follow = () => {
    setPlace(true)
    followPlace(tell, () => setPlace(false))
  }
  return (
    <Stack gap="xs">
      <Group grow>
        <Button
          variant="light"
          disabled={motion !== null}
          onClick={() => void followMotion(tell).then(setMotion)}
        >
          {t('phone.motion')}
        </Button>
        <Button variant="light" disabled={place !== null} onClick={follow}>
          {t('phone.place')}
        </Button>
      </Group>
      {(motion === false || place === false) && (
        <Text fz="sm" c="dimmed" role="status">
          {t('phone.notGiven')}
        </Text>
      )}
    </Stack>
  )
}
