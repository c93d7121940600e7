import { Button, Menu } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { download } from '@/api/download'
import { useFailureText } from './Failure'
import { failed } from './notify'

/** The forms the API gives a download in: what people call it, its media type. */
const FORMS = {
  csv: ['CSV', 'text/csv'],
  ndjson: ['JSON lines', 'application/x-ndjson'],
  parquet: ['Parquet', 'application/vnd.apache.parquet'],
} as const

interface Props {
  /** The address, asked for when a form is chosen. */
  path: () => string
  /** The file's name, without its suffix. */
  name: string
  forms: (keyof typeof FORMS)[]
}

/** Choose a form and keep the answer as a file. */
export function Download({ path, name, forms }: Props) {
  const { t } = useTranslation()
  const text = useFailureText()
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Button variant="subtle" size="compact-sm" leftSection={<IconDownload size={16} />}>
          {t('readings.download')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {forms.map((suffix) => (
          <Menu.Item
            key={suffix}
            onClick={() =>
              void download(path(), FORMS[suffix][1], `${name}.${suffix}`).catch((failure) =>
                failed(text(failure)),
              )
            }
          >
            {FORMS[suffix][0]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
