import { type StepContext, StepError } from '../steps/define_handler.ts'
import {
  type ResolvedTemplate,
  render,
  TemplateError,
  type TemplateRequest,
  type Templates,
} from '../templates/resolver.ts'

/**
 * Resolves a template for a step. If no source has the template, the step fails with the message `unavailable`, because a
 * TemplateError names paths and servers.
 */
export async function resolveTemplate(
  { id, ownerId, signal, deps }: StepContext<{ templates: Templates }>,
  { version, ...request }: Pick<TemplateRequest, 'template' | 'locale' | 'artifact'> & { version: string | undefined },
  unavailable: string,
): Promise<ResolvedTemplate> {
  return await deps.templates
    .resolve({ ...request, ...(version !== undefined && { version }), key: ownerId ?? String(id), jobId: id, signal })
    .catch((cause: unknown) => {
      if (!(cause instanceof TemplateError)) throw cause
      throw new StepError('template_unavailable', unavailable, { cause })
    })
}

/** Fills in the prompt of this kind. A failure names the prompt, the version and the template. */
export function fillPrompt(
  { template, version, artifacts }: ResolvedTemplate,
  kind: string,
  variables: Record<string, unknown>,
): string {
  const text = artifacts[kind]?.text
  if (text === undefined) {
    throw new StepError('template_incomplete', `Version ${version} of template ${template} has no ${kind}.`)
  }
  try {
    return render(text, variables)
  } catch (cause) {
    const message = `The ${kind} of version ${version} of template ${template} cannot be filled in. Tell the operator.`
    throw new StepError('template_incomplete', message, { cause })
  }
}
