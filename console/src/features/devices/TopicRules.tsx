import { ActionIcon, Button, Group, Menu } from '@mantine/core'
import { IconArrowsExchange, IconDots, IconPlus } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { TopicRule } from '@/api/types'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { listTopicRules, removeTopicRule } from './queries'
import { TopicRuleForm } from './TopicRuleForm'

/** What devices of an application may publish and subscribe to beyond their own topics. */
export function TopicRules({ applicationId, may }: { applicationId: string; may: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [edited, setEdited] = useState<TopicRule | 'new' | null>(null)
  const [removing, setRemoving] = useState<TopicRule | null>(null)
  const list = usePages(['topic-rules', applicationId], async () => ({
    items: await listTopicRules(applicationId),
  }))
  const forWhom = (rule: TopicRule) =>
    [
      rule.deviceId && t('topicRules.oneDevice'),
      rule.deviceKind && t(`deviceKind.${rule.deviceKind}`),
      rule.model,
    ]
      .filter(Boolean)
      .join(' · ') || t('topicRules.everyDevice')
  return (
    <>
      <DataList
        name="topic-rules"
        label={t('topicRules.title')}
        list={list}
        rowKey={(rule) => rule.id}
        onOpen={may ? setEdited : undefined}
        tools={
          may && (
            <Button variant="light" leftSection={<IconPlus size={16} />} onClick={() => setEdited('new')}>
              {t('topicRules.new')}
            </Button>
          )
        }
        columns={[
          {
            key: 'topic',
            label: t('topicRules.topic'),
            cell: (rule) => (
              <span style={{ fontFamily: 'var(--mantine-font-family-monospace)' }}>{rule.topic}</span>
            ),
          },
          {
            key: 'allows',
            label: t('topicRules.allows'),
            cell: (rule) =>
              [rule.publish && t('topicRules.publish'), rule.subscribe && t('topicRules.subscribe')]
                .filter(Boolean)
                .join(', '),
          },
          {
            key: 'channel',
            label: t('topicRules.channel'),
            cell: (rule) =>
              rule.channel === null ? t('topicRules.passedOn') : rule.channel || t('topicRules.usualChannel'),
          },
          {
            key: 'whom',
            label: t('topicRules.whom'),
            cell: (rule) => (
              <Group gap={6} wrap="nowrap" justify="space-between">
                {forWhom(rule)}
                {may && (
                  <Menu position="bottom-end" shadow="md">
                    <Menu.Target>
                      <ActionIcon aria-label={t('common.more')}>
                        <IconDots size={16} />
                      </ActionIcon>
                    </Menu.Target>
                    <Menu.Dropdown>
                      <Menu.Item onClick={() => setEdited(rule)}>{t('common.edit')}</Menu.Item>
                      <Menu.Item c="red" onClick={() => setRemoving(rule)}>
                        {t('common.remove')}
                      </Menu.Item>
                    </Menu.Dropdown>
                  </Menu>
                )}
              </Group>
            ),
          },
        ]}
        empty={
          <Empty icon={IconArrowsExchange} title={t('topicRules.emptyTitle')}>
            {t('topicRules.empty')}
          </Empty>
        }
      />
      {edited && (
        <TopicRuleForm
          applicationId={applicationId}
          rule={edited === 'new' ? undefined : edited}
          onClose={() => setEdited(null)}
        />
      )}
      {removing && (
        <Confirm
          title={t('topicRules.remove')}
          action={t('common.remove')}
          act={() => removeTopicRule(removing)}
          onClose={() => setRemoving(null)}
          onDone={() => void client.invalidateQueries({ queryKey: ['topic-rules', applicationId] })}
        >
          {t('topicRules.removeAsk', { topic: removing.topic })}
        </Confirm>
      )}
    </>
  )
}
