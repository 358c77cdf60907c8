/** Calls each factory with these services. The code that gets the results does not need to know the services. */
export function bindAll<Services, Bound>(
  factories: Record<string, (services: Services) => Bound>,
  services: Services,
): Record<string, Bound> {
  return Object.fromEntries(Object.entries(factories).map(([name, bind]) => [name, bind(services)]))
}
