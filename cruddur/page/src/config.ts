// SPDX-License-Identifier: Apache-2.0
// What the page's server says: where the API is, and who receives traces.

export interface Config {
  api: string; // "" = the same host, at apiPort
  apiPort: number;
  otlp: string; // "" = the page is not traced
  headers: Record<string, string>;
  bootcamp: boolean;
}

export async function readConfig(): Promise<Config> {
  const config: Config = await (await fetch('/config.json')).json();
  return { ...config, api: config.api || `${location.protocol}//${location.hostname}:${config.apiPort}` };
}
