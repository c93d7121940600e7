import { SegmentedControl } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { chooseLanguage, type Language } from '@/i18n'

/** Let somebody who is not signed in choose the language of the page. */
export function LanguageChoice() {
  const { t, i18n } = useTranslation()
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('frame.language')}
      value={i18n.language}
      onChange={(language) => void chooseLanguage(language as Language)}
      data={[
        { value: 'en', label: 'English' },
        { value: 'da', label: 'Dansk' },
      ]}
      style={{ alignSelf: 'center' }}
    />
  )
}
