// SPDX-License-Identifier: Apache-2.0
// The sampler of the X-Ray SDK for Node, without its pauses: it fetches rules, decides 200 requests,
// reports and gets targets. Prints what it then knows.
//   AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000 node sampling.cjs
const folder = 'aws-xray-sdk-core/dist/lib/middleware/sampling';
const connector = require(`${folder}/service_connector`);

connector.fetchSamplingRules((error, rules) => {
  if (error) throw error;
  rules.sort((a, b) => a.getPriority() - b.getPriority());
  const rule = rules.find((r) => r.match({ serviceName: 'backend-flask', host: 'localhost', httpMethod: 'GET', urlPath: '/x' }));
  for (let i = 0; i < 200; i++) rule.incrementRequestCount();
  connector.fetchTargets([rule], (e, targets, freshness) => {
    if (e) throw e;
    console.log(JSON.stringify({ rules: rules.map((r) => r.getName()), matched: rule.getName(), target: targets[rule.getName()], freshness }));
  });
});
