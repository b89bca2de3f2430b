// Three clients against one Web API; what each got goes to stdout as JSON. argv: the base URL.
const { DynamicsWebApi } = require("dynamics-web-api");
const { o } = require("o.js");
const { OData } = require("@odata/client");

const base = process.argv[2];
const root = `${base}/api/data/v9.2/`;

async function refused(work) {
  try {
    await work();
    return null;
  } catch (error) {
    return { status: error.status ?? error.response?.status ?? 0, code: error.code, message: error.message };
  }
}

async function dynamics() {
  const api = new DynamicsWebApi({
    serverUrl: `${base}/`, // a base with a path ends with a slash, or its last part is lost
    dataApi: { version: "9.2" },
    onTokenRefresh: async () => ({ accessToken: "any" }),
  });
  const got = {};
  const id = await api.create({ collection: "accounts", data: { name: "Wide World", revenue: 10.5 } });
  got.created = id;
  const made = await api.create({
    collection: "contacts",
    data: { lastname: "Node", "parentcustomerid_account@odata.bind": `/accounts(${id})` },
    returnRepresentation: true,
    select: ["lastname"],
  });
  got.represented = Object.keys(made).filter((name) => !name.startsWith("@")).sort();
  const row = await api.retrieve({ collection: "accounts", key: id, select: ["name", "revenue"], includeAnnotations: "*" });
  got.retrieved = [row.name, row.revenue];
  got.updated = await api.update({ collection: "accounts", key: id, data: { name: "Wider World" } });
  got.stale = await api.update({ collection: "accounts", key: id, data: { name: "x" }, ifmatch: 'W/"1"' });
  const second = await api.retrieve({ collection: "accounts", key: id, select: ["name"] });
  got.fresh = await api.update({
    collection: "accounts", key: id, data: { name: "Widest World" }, ifmatch: second["@odata.etag"], returnRepresentation: true,
    select: ["name"],
  }).then((one) => one.name);
  got.missing = await refused(() =>
    api.update({ collection: "accounts", key: "00000000-0000-0000-0000-00000000dead", data: { name: "x" }, ifmatch: "*" }));
  got.value = await api.retrieve({ collection: "accounts", key: id, navigationProperty: "primarycontactid" }).then((one) => one ?? null);
  const people = [1, 2, 3, 4, 5].map((n) => ({
    "@odata.type": "Microsoft.Dynamics.CRM.contact", lastname: `N${n}`, jobtitle: "node",
  }));
  const many = await api.callAction({ collection: "contacts", actionName: "Microsoft.Dynamics.CRM.CreateMultiple", action: { Targets: people } });
  got.many = many.Ids.length;
  const page = await api.retrieveMultiple({
    collection: "contacts", select: ["lastname"], filter: "jobtitle eq 'node'", orderBy: ["lastname"], maxPageSize: 2, count: true,
  });
  got.page = [page.value.map((one) => one.lastname), page.oDataCount, Boolean(page.oDataNextLink)];
  const all = await api.retrieveAll({ collection: "contacts", select: ["lastname"], filter: "jobtitle eq 'node'", maxPageSize: 2 });
  got.all = all.value.length;
  got.count = await api.count({ collection: "contacts", filter: "jobtitle eq 'node'" });
  const fetched = await api.fetch({
    collection: "contacts",
    fetchXml: '<fetch count="2"><entity name="contact"><attribute name="lastname"/><order attribute="lastname"/>' +
      '<filter><condition attribute="jobtitle" operator="eq" value="node"/></filter></entity></fetch>',
  });
  got.fetched = fetched.value.map((one) => one.lastname);
  const tracked = await api.retrieveMultiple({ collection: "contacts", select: ["lastname"], trackChanges: true });
  got.delta = Boolean(tracked.oDataDeltaLink);
  got.who = Object.keys(await api.callFunction("WhoAmI")).filter((name) => name.endsWith("Id")).sort();
  got.total = (await api.callFunction({
    functionName: "RetrieveTotalRecordCount", parameters: { EntityNames: ["account"] },
  })).EntityRecordCountCollection.Keys;
  got.quote = await refused(() => api.callFunction({ functionName: "RetrieveTotalRecordCount", parameters: { EntityNames: "O'x" } }));
  const contact = many.Ids[0];
  await api.associate({
    collection: "accounts", primaryKey: id, relationshipName: "contact_customer_accounts", relatedCollection: "contacts", relatedKey: contact,
  });
  const linked = await api.retrieveMultiple({ collection: `accounts(${id})/contact_customer_accounts`, select: ["lastname"] });
  got.linked = linked.value.length;
  await api.disassociate({ collection: "accounts", primaryKey: id, relationshipName: "contact_customer_accounts", relatedKey: contact });
  await api.associateSingleValued({
    collection: "accounts", primaryKey: id, navigationProperty: "primarycontactid", relatedCollection: "contacts", relatedKey: contact,
  });
  await api.disassociateSingleValued({ collection: "accounts", primaryKey: id, navigationProperty: "primarycontactid" });
  await api.updateSingleProperty({ collection: "accounts", key: id, fieldValuePair: { name: "Single" } });
  await api.deleteRecord({ collection: "accounts", key: id, property: "revenue" });
  const last = await api.retrieve({ collection: "accounts", key: id, select: ["name", "revenue", "_primarycontactid_value"] });
  got.last = [last.name, last.revenue, last._primarycontactid_value];
  const upserted = await api.upsert({ collection: "accounts", key: "accountnumber='N1'", data: { name: "by key" } });
  got.upserted = upserted.length ?? upserted;
  const entity = await api.retrieveEntity({ key: "LogicalName='account'", select: ["LogicalName", "EntitySetName"] });
  got.entity = entity.EntitySetName;
  const columns = await api.retrieveAttributes({
    entityKey: "LogicalName='account'", castType: "Microsoft.Dynamics.CRM.PicklistAttributeMetadata", select: ["LogicalName"], expand: [{ property: "OptionSet" }],
  });
  got.options = columns.value.find((one) => one.LogicalName === "industrycode").OptionSet.Options.length;
  api.startBatch();
  api.create({ collection: "contacts", data: { lastname: "B1", jobtitle: "batch" }, contentId: "1" });
  api.create({ collection: "accounts", data: { name: "B2", "primarycontactid@odata.bind": "$1" }, contentId: "2" });
  api.retrieveMultiple({ collection: "contacts", filter: "jobtitle eq 'batch'", select: ["lastname"] });
  const batched = await api.executeBatch();
  got.batch = [typeof batched[0], typeof batched[1], batched[2].value.map((one) => one.lastname)];
  got.deleted = await api.deleteRecord({ collection: "accounts", key: id }).then((one) => one ?? null);
  got.metadata = (await api.retrieveCsdlMetadata()).includes("edmx:Edmx");
  return got;
}

async function ojs() {
  const client = o(root);
  const got = {};
  const made = await client.post("leads", { subject: "from o.js", lastname: "O" }).query();
  got.made = made?.status ?? null;
  got.filtered = (await client.get("leads").query({ $filter: "subject eq 'from o.js'", $select: "subject" })).map((one) => one.subject);
  got.refused = (await client.get("leads(00000000-0000-0000-0000-00000000dead)").query().catch((error) => error)).status;
  client.get("leads?$filter=subject eq 'from o.js'&$select=subject");
  client.get("leads?$top=1");
  got.batch = (await client.batch()).map((one) => [one.status, one.body?.length ?? null]);
  return got;
}

async function odata() {
  const client = OData.New4({ serviceEndpoint: root });
  const got = {};
  const set = client.getEntitySet("leads");
  const [first] = await set.query(client.newParam().filter("subject eq 'from o.js'").select(["subject"]));
  got.filtered = first.subject;
  got.one = (await set.retrieve(first.leadid)).subject;
  got.count = await set.count();
  return got;
}

(async () => {
  const said = { dynamics: await dynamics(), o: await ojs(), client: await odata() };
  process.stdout.write(JSON.stringify(said));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
