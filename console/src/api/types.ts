import type { paths } from './schema'

/** The JSON that `GET path` answers. */
type Got<P extends keyof paths> = paths[P] extends {
  get: { responses: { 200: { content: { 'application/json': infer T } } } }
}
  ? T
  : never

/** One item of the list at `path`. */
type Item<P extends keyof paths> =
  Got<P> extends { items: (infer T)[] } ? T : Got<P> extends (infer T)[] ? T : never

/** The JSON that a changing call takes. */
type Sent<P extends keyof paths, M extends 'post' | 'patch' | 'put'> = paths[P] extends {
  [K in M]: { requestBody: { content: { 'application/json': infer T } } }
}
  ? T
  : never

/** The JSON that `POST path` answers on success. */
type Made<P extends keyof paths, S extends number = 201> = paths[P] extends {
  post: { responses: { [K in S]: { content: { 'application/json': infer T } } } }
}
  ? T
  : never

/** The data of the events that `GET path` sends. */
type Followed<P extends keyof paths> = paths[P] extends {
  get: { responses: { 200: { content: { 'text/event-stream': infer T } } } }
}
  ? T
  : never

export type Me = Got<'/api/v1/auth/me'>
export type Permission = Item<'/api/v1/permissions'>['permissions'][number]

export type Organization = Item<'/api/v1/organizations'>
export type OrganizationBody = Sent<'/api/v1/organizations', 'post'>
export type OrganizationPatch = Sent<'/api/v1/organizations/{organization_id}', 'patch'>
export type PermissionGroup = Item<'/api/v1/permissions'>
export type PermissionGroupBody = Sent<'/api/v1/permissions', 'post'>
export type Role = PermissionGroup['roles'][number]
export type Member = Item<'/api/v1/permissions/{group_id}/members'>
export type MemberBody = Sent<'/api/v1/permissions/{group_id}/members', 'post'>

export type DeviceAuthority = Item<'/api/v1/organizations/{organization_id}/device-authorities'>
export type DeviceAuthorityBody = Sent<'/api/v1/organizations/{organization_id}/device-authorities', 'post'>
export type RevocationListBody = Sent<
  '/api/v1/organizations/{organization_id}/device-authorities/{authority_id}/revocation-list',
  'put'
>
export type Assertion = Sent<'/api/v1/auth/passkeys/sign-in', 'post'>['credential']
export type Attestation = Sent<'/api/v1/auth/passkeys', 'post'>['credential']
export type SecondFactors = Got<'/api/v1/auth/second-factors'>
export type OpenSession = Item<'/api/v1/auth/sessions'>

export type User = Item<'/api/v1/users'>
export type Invitation = Item<'/api/v1/invitations'>
export type InvitationBody = Sent<'/api/v1/invitations', 'post'>
export type UserPatch = Sent<'/api/v1/users/{user_id}', 'patch'>
export type Chain = Item<'/api/v1/audit/chains'>
export type Checkpoint = Made<'/api/v1/audit/checkpoints'>
export type Collector = Item<'/api/v1/log-collectors'>
export type CollectorBody = Sent<'/api/v1/log-collectors', 'post'>
export type CollectorPatch = Sent<'/api/v1/log-collectors/{collector_id}', 'patch'>

export type Access = Item<'/api/v1/access'>
export type ApiKey = Item<'/api/v1/api-keys'>
export type ApiKeyBody = Sent<'/api/v1/api-keys', 'post'>
export type ApiKeyPatch = Sent<'/api/v1/api-keys/{key_id}', 'patch'>

export type OauthClient = Item<'/api/v1/oauth/clients'>
export type OauthClientBody = Sent<'/api/v1/oauth/clients', 'post'>
export type OauthClientPatch = Sent<'/api/v1/oauth/clients/{client_id}', 'patch'>
export type MadeOauthClient = Made<'/api/v1/oauth/clients'>
export type Asked = Made<'/api/v1/oauth/authorizations/ask', 200>

export type Application = Item<'/api/v1/applications'>
export type ApplicationBody = Sent<'/api/v1/applications', 'post'>
export type ApplicationPatch = Sent<'/api/v1/applications/{application_id}', 'patch'>

export type Device = Item<'/api/v1/devices'>
export type DeviceBody = Sent<'/api/v1/devices', 'post'>
export type DevicePatch = Sent<'/api/v1/devices/{device_id}', 'patch'>
export type Credential = Item<'/api/v1/devices/{device_id}/credentials'>
export type CertificateBody = Sent<'/api/v1/devices/{device_id}/certificates', 'post'>
export type CredentialBody = Sent<'/api/v1/devices/{device_id}/credentials', 'post'>
export type ShownCredential = Made<'/api/v1/devices/{device_id}/credentials'>
export type StateChange = Item<'/api/v1/devices/{device_id}/states'>
export type Connection = Got<'/api/v1/devices/{device_id}/presence'>['connections'][number]
export type MapItem = Item<'/api/v1/devices/map'>
export type ImportReport = Made<'/api/v1/devices/import', 200>

export type Latest = Got<'/api/v1/devices/{device_id}/latest'>['latest'][number]
export type Readings = Got<'/api/v1/devices/{device_id}/readings'>
export type Message = Extract<Got<'/api/v1/devices/{device_id}/messages'>, object>['items'][number]

export type RecentMessage = Item<'/api/v1/messages'>

export type Waiting = Item<'/api/v1/inbox'>
export type AdoptBody = Sent<'/api/v1/inbox/{device_id}/adopt', 'post'>
export type ShownInboxKey = Made<'/api/v1/applications/{application_id}/inbox-key'>

export type Operation = Item<'/api/v1/operations'>
export type OperationBody = Sent<'/api/v1/devices/{device_id}/operations', 'post'>
export type OperationsBody = Sent<'/api/v1/operations', 'post'>
export type Issued = Made<'/api/v1/operations'>[number]
export type OperationPreview = Made<'/api/v1/devices/{device_id}/operations/preview', 200>
export type Task = Item<'/api/v1/tasks'>
export type Notice = Item<'/api/v1/notices'>

export type Decoder = Item<'/api/v1/decoders'>
export type DecoderInFull = Got<'/api/v1/decoders/{decoder_id}'>
export type DecoderBody = Sent<'/api/v1/decoders', 'post'>
export type DecoderPatch = Sent<'/api/v1/decoders/{decoder_id}', 'patch'>
export type TestCase = Sent<'/api/v1/decoders/{decoder_id}/test-cases', 'put'>[number]
export type CaseResult = Made<'/api/v1/decoders/{decoder_id}/test', 200>[number]
export type TrialBody = Sent<'/api/v1/decoders/try', 'post'>
export type Trial = Made<'/api/v1/decoders/try', 200>
export type Suggestion = Made<'/api/v1/decoders/suggest', 200>['items'][number]
export type Outcome = Trial['outcomes'][number]

export type Target = Item<'/api/v1/targets'>
export type Receipt = Item<'/api/v1/targets/{target_id}/receipts'>
export type MessageDelivery = Item<'/api/v1/devices/{device_id}/messages/{position}/deliveries'>
export type TargetKind = Item<'/api/v1/target-kinds'>
export type TargetBody = Sent<'/api/v1/targets', 'post'>
export type TargetPatch = Sent<'/api/v1/targets/{target_id}', 'patch'>
export type DeadLetter = Item<'/api/v1/targets/{target_id}/dead-letters'>
export type Route = Item<'/api/v1/routes'>
export type RouteBody = Sent<'/api/v1/routes', 'post'>
export type RoutePatch = Sent<'/api/v1/routes/{route_id}', 'patch'>

export type ChangeMany = Sent<'/api/v1/devices/change', 'post'>
export type DoneRow = Item<'/api/v1/tasks/{task_id}/rows'>
export type Fact = Extract<Got<'/api/v1/audit'>, object>['items'][number]
export type Demo = Got<'/api/v1/demo'>

export type UserStore = Item<'/api/v1/user-stores'>
export type UserStoreBody = Sent<'/api/v1/user-stores', 'post'>
export type UserStorePatch = Sent<'/api/v1/user-stores/{store_id}', 'patch'>
export type UserStoreTry = Sent<'/api/v1/user-stores/{store_id}/test', 'post'>
export type UserStoreTrial = Made<'/api/v1/user-stores/test', 200>

export type IdentityProvider = Item<'/api/v1/identity-providers'>
export type IdentityProviderBody = Sent<'/api/v1/identity-providers', 'post'>
export type IdentityProviderPatch = Sent<'/api/v1/identity-providers/{provider_id}', 'patch'>
/** Nothing is sent where a key is to be made. */
export type IdentityProviderKeyBody = NonNullable<
  NonNullable<
    paths['/api/v1/identity-providers/{provider_id}/keys']['post']['requestBody']
  >['content']['application/json']
>
export type AccessRequest = Item<'/api/v1/access-requests'>

export type Broker = Item<'/api/v1/brokers'>
export type BrokerBody = Sent<'/api/v1/brokers', 'post'>
export type BrokerPatch = Sent<'/api/v1/brokers/{broker_id}', 'patch'>
export type BrokerConnection = Sent<'/api/v1/brokers/{broker_id}/connect', 'post'>
export type ShownBroker = Made<'/api/v1/brokers'>
export type BrokerPiece = ShownBroker['pieces'][number]

export type Source = Item<'/api/v1/sources'>
export type SourceBody = Sent<'/api/v1/sources', 'post'>
export type SourcePatch = Sent<'/api/v1/sources/{source_id}', 'patch'>
export type SourceTrial = Made<'/api/v1/sources/test', 200>
export type SourceLogEntry = Item<'/api/v1/sources/{source_id}/log'>

export type Program = Item<'/api/v1/programs'>
export type Presence = Got<'/api/v1/devices/{device_id}/presence'>['connections'][number]
export type TracedPacket = Followed<'/api/v1/devices/{device_id}/trace'>

export type TopicRule = Item<'/api/v1/applications/{application_id}/topic-rules'>
export type TopicRuleBody = Sent<'/api/v1/applications/{application_id}/topic-rules', 'post'>

export type Api = Item<'/api/v1/apis'>
export type Plan = Item<'/api/v1/plans'>
export type PlanBody = Sent<'/api/v1/plans', 'post'>
export type PlanPatch = Sent<'/api/v1/plans/{plan_id}', 'patch'>
export type PlanSubscription = Item<'/api/v1/subscriptions'>
export type PlanSubscriptionBody = Sent<'/api/v1/subscriptions', 'post'>
export type UsageTotal = Item<'/api/v1/usage/totals'>
