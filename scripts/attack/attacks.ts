import { attackFromOneNetwork, attackOneBucket, attackOtherAddresses } from './addresses.ts'
import { attackWithBigBody, attackWithTwoLengths } from './big_bodies.ts'
import { attackByBuyingAgain, attackByCancellingEarly, attackByOrderingVideos } from './buy_again.ts'
import { attackDeletedMedia } from './deleted_media.ts'
import { attackFileNames } from './file_names.ts'
import { attackWithReads } from './hold_connections.ts'
import { attackLogs } from './log_flood.ts'
import { attackByPlannerStatistics } from './planner_statistics.ts'
import { attackWithPublicFlows, attackWithPublicShares } from './public_flows.ts'
import { attackWithRefusedWrites } from './refused_writes.ts'
import { attackWithSlowUploads, attackWithUploadedBytes } from './slow_uploads.ts'
import { attackWithAnonymousBytes, attackWithSavedBytes } from './stored_bytes.ts'
import type { Target, Verdict } from './target.ts'
import { attackWithTokens } from './tokens.ts'

type Attack = (target: Target) => Promise<Verdict | Verdict[]>

/** Attacks of at most a few seconds, which `npm test` runs, too. */
export const quickAttacks: Record<string, Attack> = {
  'buy-again': attackByBuyingAgain,
  'cancel-early': attackByCancellingEarly,
  'order-videos': attackByOrderingVideos,
  'big-body': (target) => attackWithBigBody(target, 'announced'),
  'chunked-body': (target) => attackWithBigBody(target, 'chunked'),
  'two-lengths': attackWithTwoLengths,
  'slow-uploads': attackWithSlowUploads,
  'uploaded-bytes': attackWithUploadedBytes,
  'planner-statistics': attackByPlannerStatistics,
  'refused-writes': attackWithRefusedWrites,
  'deleted-media': attackDeletedMedia,
  'one-network': attackFromOneNetwork,
  'other-addresses': attackOtherAddresses,
  'one-bucket': attackOneBucket,
  'anonymous-bytes': attackWithAnonymousBytes,
  'saved-bytes': attackWithSavedBytes,
  'public-flows': attackWithPublicFlows,
  'public-shares': attackWithPublicShares,
  'file-names': attackFileNames,
  tokens: attackWithTokens,
  logs: attackLogs,
}

/** Attacks that take longer, or measure times, which a busy machine changes. */
export const slowAttacks: Record<string, Attack> = {
  reads: attackWithReads,
}
