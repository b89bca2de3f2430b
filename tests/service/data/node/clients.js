// node clients.js ROOT ID: asks the OData root with o.js and @odata/client, and prints what they got as JSON.
const { o } = require("o.js");
const { OData } = require("@odata/client");

const [root, id] = process.argv.slice(2);

async function withO() {
  const found = {};
  found.filtered = await o(`${root}/`).get("Customer").query({ $filter: "City eq 'Eastwick'", $top: 2, $select: "City" });
  found.one = await o(`${root}/`).get(`Customer('${id}')`).query();
  found.refused = await o(`${root}/`).get("Nobody").query().catch((error) => error.status);
  const batch = o(`${root}/`);
  batch.get("Customer?$top=1&$select=City");
  batch.get("Customer?$top=2&$select=City");
  found.batch = (await batch.batch()).map((part) => [part.status, part.body.length]);
  return found;
}

async function withClient() {
  const client = OData.New4({ serviceEndpoint: `${root}/` });
  const set = client.getEntitySet("Customer");
  const found = {};
  found.one = await set.retrieve(id); // it writes the key as text: Customer('…')
  const filter = client.newFilter().property("City").eq("Eastwick");
  found.filtered = await set.query(client.newParam().filter(filter).top(2).select("City"));
  found.count = await set.count();
  const request = client.newBatchRequest({ collection: "Customer", params: client.newParam().top(1) });
  const [answer] = await client.execBatchRequests([request]);
  found.batch = (await answer.json()).value.length;
  return found;
}

(async () => {
  console.log(JSON.stringify({ o: await withO(), client: await withClient() }));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
