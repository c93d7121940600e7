import { Alert, Button, FileInput, Group, Stack, Table, Text } from '@mantine/core'
import { IconFileTypeCsv, IconUpload } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ImportReport, Task } from '@/api/types'
import { importDevices, importManyDevices } from '@/features/devices/queries'
import { ApplicationChoice } from '@/features/groups/ApplicationChoice'
import { TaskModal } from '@/features/tasks/TaskModal'
import { CodeBlock } from '@/parts/Copy'
import { FormFailure } from '@/parts/Failure'
import { useGo } from '@/parts/go'
import { told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { Status, type Tone } from '@/parts/Status'

const EXAMPLE = `name,serial,manufacturer,model,place,latitude,longitude,tags
Lamp 1,SN-0001,Lumi,N-4,Quay 4,56.1567,10.2108,quay
Lamp 2,SN-0002,Lumi,N-4,Quay 4,56.1571,10.2113,quay`

const TONES: Record<string, Tone> = { create: 'good', update: 'info', unchanged: 'quiet', error: 'bad' }

/** What the server takes in one step. */
const MOST_AT_ONCE = 2_000

/** About how many rows a file has; lines within a cell count too. */
function rowsIn(text: string, json: boolean): number {
  if (!json) return text.split('\n').length - 1
  try {
    const read = JSON.parse(text)
    return Array.isArray(read) ? read.length : 0
  } catch {
    return 0 // The server says what is wrong.
  }
}

/** Bring devices in from a file: first look, then do it. */
export function ImportPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const go = useGo()
  const [applicationId, setApplicationId] = useState('')
  const [file, setFile] = useState<File | null>(null)
  const [report, setReport] = useState<ImportReport | null>(null)
  // A file too long to be taken in one step is a task, and what is wrong in it is left out.
  const [task, setTask] = useState<Task | null>(null)
  const [looked, setLooked] = useState(false)
  const anew = () => {
    setReport(null)
    setLooked(false)
  }
  const ended = useCallback(() => setLooked(true), [])
  const run = useMutation({
    mutationFn: async (preview: boolean) => {
      if (!file) throw new Error('No file is chosen.')
      const json = file.name.toLowerCase().endsWith('.json')
      const text = await file.text()
      const take = rowsIn(text, json) > MOST_AT_ONCE ? importManyDevices : importDevices
      return await take(text, json ? 'application/json' : 'text/csv', preview, applicationId || undefined)
    },
    onSuccess: (made) => {
      if ('state' in made) {
        setTask(made)
        return
      }
      setReport(made)
      if (made.preview || !made.applied) return
      told(t('import.done', { created: made.created, updated: made.updated }))
      void client.invalidateQueries()
      if (made.failed === 0) go('/devices')
    },
  })
  return (
    <Page
      title={t('import.title')}
      lead={t('import.lead')}
      calls={[{ method: 'POST', path: '/api/v1/devices/import', query: { preview: true, applicationId } }]}
    >
      <Stack>
        <Panel>
          <Stack maw={620}>
            <ApplicationChoice
              value={applicationId}
              onChange={(id) => {
                setApplicationId(id)
                anew()
              }}
            />
            <FileInput
              label={t('import.file')}
              description={t('import.fileHelp')}
              accept=".csv,.json,text/csv,application/json"
              leftSection={<IconFileTypeCsv size={17} />}
              placeholder={t('import.choose')}
              clearable
              value={file}
              onChange={(next) => {
                setFile(next)
                anew()
              }}
            />
            <FormFailure of={run.error} />
            <Group>
              <Button
                variant="default"
                disabled={!file}
                loading={run.isPending && run.variables}
                onClick={() => run.mutate(true)}
              >
                {t('import.preview')}
              </Button>
              <Button
                leftSection={<IconUpload size={16} />}
                disabled={!(report?.failed === 0 || looked)}
                loading={run.isPending && !run.variables}
                onClick={() => run.mutate(false)}
              >
                {t('import.run')}
              </Button>
            </Group>
          </Stack>
        </Panel>
        {report ? (
          <Report report={report} />
        ) : (
          <Panel title={t('import.example')}>
            <Text c="dimmed" mb="xs">
              {t('import.exampleHelp')}
            </Text>
            <CodeBlock code={EXAMPLE} label={t('import.example')} />
          </Panel>
        )}
      </Stack>
      {task && (
        <TaskModal
          id={task.id}
          title={t(run.variables ? 'import.wouldBe' : 'import.was')}
          onClose={() => setTask(null)}
          onEnded={ended}
        />
      )}
    </Page>
  )
}

function Report({ report }: { report: ImportReport }) {
  const { t } = useTranslation()
  const wrong = report.rows.filter((row) => row.problem)
  return (
    <Panel title={report.preview ? t('import.wouldBe') : t('import.was')}>
      <Stack>
        <Group gap="lg">
          <Status tone="good">{t('import.created', { count: report.created })}</Status>
          <Status tone="info">{t('import.updated', { count: report.updated })}</Status>
          <Status tone="quiet">{t('import.unchanged', { count: report.unchanged })}</Status>
          <Status tone={report.failed ? 'bad' : 'good'}>
            {t('import.failed', { count: report.failed })}
          </Status>
        </Group>
        {wrong.length > 0 && <Alert color="orange">{t('import.mend')}</Alert>}
        <Table.ScrollContainer minWidth={520} mah={420} type="native" tabIndex={0}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={80}>{t('import.line')}</Table.Th>
                <Table.Th>{t('fields.name')}</Table.Th>
                <Table.Th w={150}>{t('messages.result')}</Table.Th>
                <Table.Th>{t('messages.detail')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {[...wrong, ...report.rows.filter((row) => !row.problem)].slice(0, 200).map((row) => (
                <Table.Tr key={row.line}>
                  <Table.Td>{row.line}</Table.Td>
                  <Table.Td>{row.name ?? '–'}</Table.Td>
                  <Table.Td>
                    <Status tone={TONES[row.action] ?? 'quiet'}>
                      {t(`import.action.${row.action}` as never)}
                    </Status>
                  </Table.Td>
                  <Table.Td>
                    {row.problem ? [row.problem.column, row.problem.detail].filter(Boolean).join(': ') : ''}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Stack>
    </Panel>
  )
}
