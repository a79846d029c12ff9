//! DynamoDB tables in memory: enough for state machines that keep and fetch items by key.
//!
//! What is not understood (conditions, projections, indexes) is refused by name, never ignored.
//!
//! Where tables are declared, only these exist. Otherwise every table exists, and its key is not known at first: items are
//! kept in the order in which they came, and the first call that names a `Key` tells which attributes the key has.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::update;
use super::words::Fault;

/// Most bytes of all items together.
const ITEMS_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Largest item, in bytes, as in the service.
const ITEM_BYTES_MAX: usize = 400 * 1_024;

type Item = Map<String, Value>;

/// Actions that write, which are recorded.
pub(super) const WRITES: [&str; 3] = ["putItem", "updateItem", "deleteItem"];

/// Most tables that come to exist by being named.
const TABLES_MAX: usize = 1_000;

/// All tables.
#[derive(Debug)]
pub(super) struct Tables {
    /// Whether every table exists that somebody names.
    any: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tables: BTreeMap<String, Table>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Table {
    /// Names of the key's attributes; empty as long as they are not known.
    keys: Vec<String>,
    /// Items by the JSON text of their key, or by the number of their coming.
    items: BTreeMap<String, Item>,
    /// Items that came while the key was not known.
    came: u64,
}

impl Tables {
    pub(super) fn new(tables: Option<&BTreeMap<String, Vec<String>>>) -> Self {
        let table = |keys: &Vec<String>| Table { keys: keys.clone(), ..Table::default() };
        let declared = tables.into_iter().flatten().map(|(name, keys)| (name.clone(), table(keys))).collect();
        Self { any: tables.is_none(), state: Mutex::new(State { tables: declared, bytes: 0 }) }
    }

    pub(super) fn call(&self, action: &str, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let (required, known): (&[&str], &[&str]) = match action {
            "putItem" => (&["TableName", "Item"], &["ReturnValues"]),
            "getItem" => (&["TableName", "Key"], &["ConsistentRead"]),
            "deleteItem" => (&["TableName", "Key"], &["ReturnValues"]),
            "updateItem" => (
                &["TableName", "Key"],
                &["UpdateExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValues"],
            ),
            "query" => (
                &["TableName", "KeyConditionExpression"],
                &["ExpressionAttributeNames", "ExpressionAttributeValues", "ConsistentRead"],
            ),
            "describeTable" => (&["TableName"], &[]),
            _ => return Err(Fault::unsupported(format!("the local engine has no action {action} for tables"))),
        };
        for name in required {
            if parameters.get(*name).is_none_or(Value::is_null) {
                let mut field = (*name).to_owned();
                field[..1].make_ascii_lowercase();
                return Err(invalid(format!(
                    "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not \
                     be null"
                )));
            }
        }
        if let Some(name) =
            parameters.keys().find(|name| !required.contains(&name.as_str()) && !known.contains(&name.as_str()))
        {
            return Err(Fault::unsupported(format!(
                "the local engine does not support the parameter {name} of {action}"
            )));
        }
        let name = name(parameters);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { tables, bytes } = &mut *state;
        if self.any && !tables.contains_key(name) && tables.len() < TABLES_MAX {
            tables.insert(name.to_owned(), Table::default());
        }
        let table = tables
            .get_mut(name)
            .ok_or_else(|| Fault::modeled("ResourceNotFoundException", 400, "Requested resource not found"))?;
        if table.keys.is_empty() {
            match (action, parameters.get("Key").and_then(Value::as_object)) {
                ("putItem", _) => return table.take(name, parameters, bytes),
                ("describeTable", _) => return Err(unknown_key(name)),
                (_, Some(key)) => table.learn_key(key, bytes),
                (_, None) => {}
            }
        }
        match action {
            "putItem" => table.put(parameters, bytes),
            "getItem" => table.get(parameters),
            "deleteItem" => table.delete(parameters, bytes),
            "updateItem" => table.update(parameters, bytes),
            "query" => table.query(parameters),
            _ => Ok(table.describe(name)),
        }
    }
}

/// The table that a call names, by its name or its ARN.
pub(super) fn name(parameters: &Map<String, Value>) -> &str {
    let name = parameters.get("TableName").and_then(Value::as_str).unwrap_or_default();
    name.rsplit_once(":table/").map_or(name, |(_, name)| name)
}

fn unknown_key(name: &str) -> Fault {
    Fault::unsupported(format!(
        "the key of the table \"{name}\" is not known for this: declare it with --table {name}=KEY"
    ))
}

fn check_size(item: &Item) -> Result<(), Fault> {
    if size(item) > ITEM_BYTES_MAX {
        return Err(invalid("Item size has exceeded the maximum allowed size".to_owned()));
    }
    Ok(())
}

impl Table {
    /// Keeps an item of a table whose key is not known. The oldest ones make place for it.
    fn take(
        &mut self,
        name: &str,
        parameters: &Map<String, Value>,
        bytes: &mut usize,
    ) -> Result<Map<String, Value>, Fault> {
        if parameters.get("ReturnValues").is_some_and(|wanted| wanted != "NONE") {
            return Err(unknown_key(name));
        }
        let item = object(parameters, "Item")?;
        check_size(item)?;
        while *bytes + size(item) > ITEMS_BYTES_MAX
            && let Some((_, oldest)) = self.items.pop_first()
        {
            *bytes -= size(&oldest);
        }
        self.came += 1;
        self.store(format!("{:020}", self.came), item.clone(), bytes)?;
        Ok(Map::new())
    }

    /// Takes the attributes of a key from a call that names one. Of items with the same key the last one stays; those
    /// without it would not have been accepted.
    fn learn_key(&mut self, key: &Item, bytes: &mut usize) {
        self.keys = key.keys().cloned().collect();
        for (_, item) in std::mem::take(&mut self.items) {
            let replaced = match self.key_of(&item, "") {
                Ok(key) => self.items.insert(key, item),
                Err(_) => Some(item),
            };
            *bytes -= replaced.as_ref().map_or(0, size);
        }
    }

    fn put(&mut self, parameters: &Map<String, Value>, bytes: &mut usize) -> Result<Map<String, Value>, Fault> {
        let item = object(parameters, "Item")?;
        let key = self.key_of(item, "One or more parameter values were invalid: Missing the key")?;
        let old = self.store(key, item.clone(), bytes)?;
        returned(parameters, &["ALL_OLD"], |_| old)
    }

    fn get(&self, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let item = self.items.get(&self.key(parameters)?);
        Ok(item.map(|item| ("Item".to_owned(), Value::Object(item.clone()))).into_iter().collect())
    }

    fn delete(&mut self, parameters: &Map<String, Value>, bytes: &mut usize) -> Result<Map<String, Value>, Fault> {
        let old = self.items.remove(&self.key(parameters)?);
        *bytes -= old.as_ref().map_or(0, size);
        returned(parameters, &["ALL_OLD"], |_| old)
    }

    fn update(&mut self, parameters: &Map<String, Value>, bytes: &mut usize) -> Result<Map<String, Value>, Fault> {
        let key = self.key(parameters)?;
        let old = self.items.get(&key).cloned();
        let mut item = match &old {
            Some(item) => item.clone(),
            None => object(parameters, "Key")?.clone(),
        };
        let expression = parameters.get("UpdateExpression").and_then(Value::as_str);
        let changed = match expression {
            Some(expression) => update::apply(expression, parameters, &mut item)?,
            None => Vec::new(),
        };
        if let Some(name) = changed.iter().find(|name| self.keys.contains(name)) {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
            )));
        }
        self.store(key, item.clone(), bytes)?;
        let only = |item: Item| item.into_iter().filter(|(name, _)| changed.contains(name)).collect::<Item>();
        returned(parameters, &["ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"], |wanted| match wanted {
            "ALL_OLD" => old,
            "UPDATED_OLD" => old.map(only),
            "ALL_NEW" => Some(item),
            _ => Some(only(item)),
        })
    }

    /// The items whose first key attribute has a value.
    fn query(&self, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let condition = parameters.get("KeyConditionExpression").and_then(Value::as_str).unwrap_or_default();
        let sides: Vec<_> = condition.split('=').map(str::trim).collect();
        let [name, value] = sides[..] else { return Err(not_understood(condition)) };
        let name = update::attribute_name(name, parameters)?;
        let value = update::attribute_value(value, parameters)?;
        let items: Vec<_> = self.items.values().filter(|item| item.get(&name) == Some(&value)).cloned().collect();
        let count = items.len();
        let items = items.into_iter().map(Value::Object).collect();
        Ok(Map::from_iter([
            ("Count".to_owned(), json!(count)),
            ("Items".to_owned(), Value::Array(items)),
            ("ScannedCount".to_owned(), json!(count)),
        ]))
    }

    fn describe(&self, name: &str) -> Map<String, Value> {
        let kinds = ["HASH", "RANGE"];
        let schema: Vec<_> =
            self.keys.iter().zip(kinds).map(|(key, kind)| json!({"AttributeName": key, "KeyType": kind})).collect();
        let table = json!({
            "TableName": name, "TableStatus": "ACTIVE", "KeySchema": schema, "ItemCount": self.items.len(),
        });
        Map::from_iter([("Table".to_owned(), table)])
    }

    fn store(&mut self, key: String, item: Item, bytes: &mut usize) -> Result<Option<Item>, Fault> {
        let (added, replaced) = (size(&item), self.items.get(&key).map_or(0, size));
        check_size(&item)?;
        if *bytes + added - replaced > ITEMS_BYTES_MAX {
            let message = format!("the local tables hold at most {ITEMS_BYTES_MAX} bytes together");
            return Err(Fault::modeled("LimitExceededException", 400, message));
        }
        *bytes = *bytes + added - replaced;
        Ok(self.items.insert(key, item))
    }

    fn key(&self, parameters: &Map<String, Value>) -> Result<String, Fault> {
        let key = object(parameters, "Key")?;
        if key.len() != self.keys.len() {
            return Err(invalid("The provided key element does not match the schema".to_owned()));
        }
        self.key_of(key, "The provided key element does not match the schema; missing")
    }

    fn key_of(&self, item: &Item, message: &str) -> Result<String, Fault> {
        let values: Result<Vec<_>, _> = self
            .keys
            .iter()
            .map(|name| item.get(name).ok_or_else(|| invalid(format!("{message} {name} in the item"))))
            .collect();
        Ok(json!(values?).to_string())
    }
}

fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.to_string().len()).sum()
}

fn object<'p>(parameters: &'p Map<String, Value>, name: &str) -> Result<&'p Item, Fault> {
    parameters.get(name).and_then(Value::as_object).ok_or_else(|| invalid(format!("{name} must be an object")))
}

/// `Attributes` as `ReturnValues` asks for them.
fn returned(
    parameters: &Map<String, Value>,
    allowed: &[&str],
    attributes: impl FnOnce(&str) -> Option<Item>,
) -> Result<Map<String, Value>, Fault> {
    let found = match parameters.get("ReturnValues").and_then(Value::as_str) {
        None | Some("NONE") => None,
        Some(wanted) if allowed.contains(&wanted) => attributes(wanted),
        Some(_) => return Err(invalid("Return values set to invalid value".to_owned())),
    };
    Ok(found.map(|item| ("Attributes".to_owned(), Value::Object(item))).into_iter().collect())
}

pub(super) fn invalid(message: String) -> Fault {
    Fault::unmodeled("ValidationException", 400, message)
}

pub(super) fn not_understood(expression: &str) -> Fault {
    Fault::unsupported(format!("the local engine does not understand the expression \"{expression}\""))
}
