import { api, ok } from '@/api/client'
import type { Operation, OperationBody, OperationsBody } from '@/api/types'

export interface OperationFilter {
  state?: string
  organizationId?: string
  applicationId?: string
}

export const listOperations = (filter: OperationFilter, after?: string) =>
  ok(
    api.GET('/api/v1/operations', {
      params: {
        query: { ...filter, state: filter.state ? [filter.state as Operation['state']] : undefined, after },
      },
    }),
  )

export const listOperationsOf = (deviceId: string, after?: string) =>
  ok(
    api.GET('/api/v1/devices/{device_id}/operations', {
      params: { path: { device_id: deviceId }, query: { after } },
    }),
  )

export const issueOperation = (deviceId: string, body: OperationBody) =>
  ok(api.POST('/api/v1/devices/{device_id}/operations', { params: { path: { device_id: deviceId } }, body }))

export const issueOperations = (body: OperationsBody) => ok(api.POST('/api/v1/operations', { body }))

export const previewOperation = (deviceId: string, body: OperationBody) =>
  ok(
    api.POST('/api/v1/devices/{device_id}/operations/preview', {
      params: { path: { device_id: deviceId } },
      body,
    }),
  )

export const cancelOperation = (id: string) =>
  ok(api.POST('/api/v1/operations/{operation_id}/cancel', { params: { path: { operation_id: id } } }))
