import { Alert, Button, Divider, Stack } from '@mantine/core'
import { IconHourglass, IconLogin2 } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import { FormFailure, useFailureText } from '@/parts/Failure'
import { offersQuery, setOut } from './queries'

/** The ways in by identity providers, and what became of the last try. */
export function Offers({ refused, to }: { refused: string | null; to: string }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const offers = useQuery(offersQuery).data ?? []
  const [linked] = useState(() => new URLSearchParams(window.location.search).get('provider'))
  useEffect(() => {
    // A link to one provider goes there by itself, unless it was just come back from.
    if (linked && !refused) setOut(linked, to)
  }, [linked, refused, to])
  const failure = refused && new Problem(403, refused, t('failure.unexpected'))
  return (
    <>
      {refused === 'identity_providers.access_asked' ? (
        <Alert role="status" icon={<IconHourglass size={18} />} variant="light" title={t('signIn.asked')}>
          {text(failure)}
        </Alert>
      ) : (
        <FormFailure of={failure} />
      )}
      {offers.length > 0 && (
        <Stack gap="xs">
          {offers.map((one) => (
            <Button
              key={one.id}
              variant="default"
              size="md"
              fullWidth
              leftSection={<IconLogin2 size={18} />}
              onClick={() => setOut(one.id, to)}
            >
              {t('signIn.withProvider', { name: one.name })}
            </Button>
          ))}
          <Divider my="xs" label={t('signIn.or')} />
        </Stack>
      )}
    </>
  )
}
