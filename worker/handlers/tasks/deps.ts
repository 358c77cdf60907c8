import type { Gemini } from '../../adapters/gemini.ts'
import type { StepContext } from '../../steps/define_handler.ts'
import type { Templates } from '../../templates/resolver.ts'
import type { TaskDoor } from './door.ts'

/** The services that the handler of agent tasks needs. */
export type AgentTaskDeps = {
  /** The prompts, by version. */
  templates: Templates
  gemini: Pick<Gemini, 'writeJson'>
  /** The tasks in the database. */
  tasks: TaskDoor
}

/** The second argument of the handler of agent tasks. */
export type AgentTaskContext = StepContext<AgentTaskDeps>
