import { Button, Skeleton, Stack, Text } from '@mantine/core'
import { IconHistory } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { Empty } from '@/parts/Empty'
import { Failure } from '@/parts/Failure'
import { Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { Difference } from './Difference'
import { listFacts } from './queries'
import classes from './Timeline.module.css'
import { useFactName } from './words'

/** Everything that was done to one thing, newest first. */
export function Timeline({ subjectId }: { subjectId: string }) {
  const { t } = useTranslation()
  const name = useFactName()
  const list = usePages(['audit', 'of', subjectId], (after) => listFacts({ subjectId }, after))
  if (list.error) return <Failure of={list.error} retry={list.again} />
  if (list.isPending) return <Skeleton height={240} />
  if (list.items.length === 0) {
    return (
      <Panel>
        <Empty icon={IconHistory} title={t('audit.emptyTitle')}>
          {t('audit.empty')}
        </Empty>
      </Panel>
    )
  }
  return (
    <Panel>
      <ol className={classes.line}>
        {list.items.map((fact) => (
          <li key={fact.id}>
            <Stack gap={4}>
              <Text>
                <b>{name(fact.name)}</b>{' '}
                <Text span c="dimmed">
                  {t('audit.by', { name: fact.callerLabel })} · <Time at={fact.at} span c="dimmed" />
                </Text>
              </Text>
              <Difference before={fact.before} after={fact.after} />
            </Stack>
          </li>
        ))}
      </ol>
      {list.more && (
        <Button variant="default" onClick={list.more} loading={list.isGrowing}>
          {t('list.more')}
        </Button>
      )}
    </Panel>
  )
}
