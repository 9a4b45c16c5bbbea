// Asks verifiers that others wrote, unmodified, what they say of documents: JSON in by stdin, JSON out by stdout.
//
// In:  {"verifier": "digitalbazaar" | "verifier-core" | "resolver", "files": {url: path}, "cases": [document or DID, …]}
// Out: {"answers": [what it said, …], "fetched": [url, …], "refused": [url, …]}

import {readFileSync} from 'node:fs';

// Whatever they print is not our answer.
console.log = console.error;

const {verifier, files, cases} = JSON.parse(readFileSync(0));
const fetched = [];
const refused = [];

// There is no network but this machine's own HTTPS server; what lies at `files` is served from here.
const fetchFromNetwork = globalThis.fetch;
globalThis.fetch = async (input, options) => {
  const url = new URL(input.url ?? input);
  if(files[url.href]) {
    fetched.push(url.href);
    return new Response(readFileSync(files[url.href]), {headers: {'Content-Type': 'application/json'}});
  }
  if(url.protocol !== 'https:' || url.hostname !== 'localhost') {
    refused.push(url.href);
    throw new Error(`There is no network here: ${url.href}`);
  }
  fetched.push(url.href);
  return fetchFromNetwork(input, options);
};

const verifiers = {
  digitalbazaar: async () => {
    const vc = await import('@digitalbazaar/vc');
    const {DataIntegrityProof} = await import('@digitalbazaar/data-integrity');
    const {cryptosuite} = await import('@digitalbazaar/eddsa-rdfc-2022-cryptosuite');
    const {checkStatus} = await import('@digitalbazaar/vc-bitstring-status-list');
    const {documentLoader} = await import('./loader.mjs');
    const suite = new DataIntegrityProof({cryptosuite});
    return async credential => {
      const {verified, error, statusResult} = await vc.verifyCredential({
        credential, suite, documentLoader, checkStatus,
      });
      const problem = error ?? statusResult?.error;
      return {
        verified,
        statuses: (statusResult?.results ?? []).map(({status}) => status),
        errors: problem ? [problem, ...problem.errors ?? []].map(({message}) => message) : [],
      };
    };
  },

  'verifier-core': async () => {
    const {verifyCredential} = await import('@digitalcredentials/verifier-core');
    return async credential => {
      const {log = [], errors = [], additionalInformation = []} = await verifyCredential({
        credential, knownDIDRegistries: [],
      });
      return {
        log: Object.fromEntries(log.map(({id, valid, error}) => [id, valid ?? error.name])),
        errors: errors.map(({name, message}) => `${name}: ${message}`),
        schemas: additionalInformation.flatMap(({results}) => results),
      };
    };
  },

  // No credentials, but the DID documents and achievements that they name.
  resolver: async () => {
    const {default: jsonld} = await import('jsonld');
    const Ed25519Multikey = await import('@digitalbazaar/ed25519-multikey');
    const {documentLoader} = await import('./loader.mjs');
    return async url => {
      const {document} = await documentLoader(url);
      // In safe mode a term that no context defines is an error.
      const [expanded] = await jsonld.expand(document, {documentLoader, safe: true});
      const keys = await Promise.all((document.verificationMethod ?? []).map(async ({id}) => {
        const {document: method} = await documentLoader(id);
        const key = await Ed25519Multikey.from(method);
        return key.export({publicKey: true});
      }));
      return {document, type: expanded['@type'] ?? [], keys};
    };
  },
};

const verify = await verifiers[verifier]();
const answers = [];
for(const one of cases) {
  answers.push(await verify(one));
}
process.stdout.write(JSON.stringify({answers, fetched, refused}));
