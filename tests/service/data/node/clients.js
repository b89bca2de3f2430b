// node clients.js ROOT ID: asks an OData root with o.js and @odata/client, and prints what they got as JSON.
const { o } = require("o.js");
const { OData } = require("@odata/client");

const [root, id] = process.argv.slice(2);
const vendor = root.includes("/v1/");
const listed = { $filter: "City eq 'Eastwick'", $select: "CustomerId,City", $orderby: "CustomerId desc", $top: 3 };
const member = "IsMemberOfSegment('big_spenders')";

async function refused(work) {
  try {
    const got = await work();
    return { resolved: got ?? null };
  } catch (error) {
    if (typeof error.json !== "function") return { thrown: error.constructor.name, message: error.message };
    const said = await error.json();
    return { status: error.status, code: said.error?.code ?? said.errorCode };
  }
}

async function withO() {
  const found = {};
  const client = o(`${root}/`);
  found.listed = await client.get("Customer").query(listed);
  found.one = await client.get(`Customer('${id}')`).query();
  found.count = await client.get("Customer/$count").fetch().then((answer) => answer.text());
  found.members = (await client.get("Customer").query({ $filter: member, $select: "CustomerId", $top: 1000 })).map((row) => row.CustomerId);
  found.pages = [];
  const paged = o(`${root}/`, { headers: { "Content-Type": "application/json", Prefer: "odata.maxpagesize=4" } });
  let address = "Customer?$select=CustomerId&$orderby=CustomerId&$top=10";
  while (address) {
    const page = await (await paged.get(address).fetch()).json();
    found.pages.push(page.value.map((row) => row.CustomerId));
    address = page["@odata.nextLink"] ?? page["@nextLink"];
  }
  found.missing = await refused(() => o(`${root}/`).get("Customer('nobody')").query());
  found.unknown = await refused(() => o(`${root}/`).get("Nobody").query());
  found.syntax = await refused(() => o(`${root}/`).get("Customer").query({ $filter: "City eq" }));
  const batch = o(`${root}/`);
  batch.get("Customer?$top=1&$select=City");
  batch.get("Customer?$top=2&$select=City");
  batch.get("Nobody");
  batch.get("Customer?$top=3&$select=City");
  found.batch = (await batch.batch()).map((part) => [part.status, part.body.length ?? null]);
  found.written = vendor ? [await changes(["C-o1", "C-o2"]), await changes(["C-o3", "C-o1"])] : null;
  return found;
}

// New contacts in a change set of o.js: [id, status] of each answer.
async function changes(keys) {
  const client = o(`${root}/`, { batch: { endpoint: "$batch", useChangset: true, boundaryPrefix: "batch_", changsetBoundaryPrefix: "changset_" } });
  for (const key of keys) client.post("crm_Contacts", { ContactId: key, City: "Bern" });
  return (await client.batch()).map((one) => [one.contentId, one.status]);
}

async function withClient() {
  const client = OData.New4({ serviceEndpoint: `${root}/` });
  const set = client.getEntitySet("Customer");
  const found = {};
  const filter = client.newFilter().property("City").eq("Eastwick");
  found.listed = await set.query(client.newParam().filter(filter).top(3).select(["CustomerId", "City"]).orderby("CustomerId", "desc"));
  found.one = await set.retrieve(id); // it writes the key as text: Customer('…')
  found.count = await set.count();
  found.members = (await set.query(client.newParam().filter(member).select("CustomerId").top(1000))).map((row) => row.CustomerId);
  found.missing = await refused(() => set.retrieve("nobody"));
  found.unknown = await refused(() => client.getEntitySet("Nobody").query());
  found.syntax = await refused(() => set.query(client.newParam().filter("City eq")));
  const reads = [1, 2].map((n) => client.newBatchRequest({ collection: "Customer", params: client.newParam().top(n) }));
  const answers = await client.execBatchRequests(reads);
  found.batch = await Promise.all(answers.map(async (one) => [one.status, (await one.json()).value.length]));
  const write = client.newBatchRequest({ collection: "crm_Contacts", method: "POST", entity: { ContactId: "C-node", City: "Bern" } });
  const [written] = await client.execBatchRequests([write]); // in a change set of its own
  found.written = [written.status, vendor ? (await written.json()).value : (await written.json()).error.code];
  return found;
}

(async () => {
  console.log(JSON.stringify({ o: await withO(), client: await withClient() }));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
