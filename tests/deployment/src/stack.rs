//! A template with values for its parameters: what CloudFormation would create.

use crate::policy::Statement;
use crate::{TemplateError, read, yaml};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The account of all ARNs here.
pub const ACCOUNT: &str = "111122223333";
/// The region of all ARNs here.
pub const REGION: &str = "eu-central-1";
/// The name of the stack.
pub const STACK: &str = "mill";

/// The template with values for its parameters.
#[derive(Debug, Clone)]
pub struct Stack {
    template: Value,
    parameters: BTreeMap<String, Value>,
}

impl Stack {
    /// Reads `template.yaml`. Parameters that are not given have their defaults.
    ///
    /// # Errors
    /// The file cannot be read, a parameter is not known, or one without a default is missing.
    pub fn new(given: &[(&str, &str)]) -> Result<Self, TemplateError> {
        Self::of(yaml::parse(&read("template.yaml")?)?, given)
    }

    /// The same for another template.
    ///
    /// # Errors
    /// As for [`Stack::new`].
    pub fn of(template: Value, given: &[(&str, &str)]) -> Result<Self, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, parameter) in template["Parameters"].as_object().into_iter().flatten() {
            let value = given.iter().find(|(known, _)| known == name).map(|(_, value)| Value::from(*value));
            let value = value.or_else(|| parameter.get("Default").cloned());
            parameters
                .insert(name.clone(), value.ok_or_else(|| invalid(format!("the parameter {name} is not given")))?);
        }
        match given.iter().find(|(name, _)| !parameters.contains_key(*name)) {
            Some((name, _)) => Err(invalid(format!("the template has no parameter {name}"))),
            None => Ok(Self { template, parameters }),
        }
    }

    /// The template as it stands in the file.
    #[must_use]
    pub fn template(&self) -> &Value {
        &self.template
    }

    /// Logical names of the resources of a type that this stack creates.
    ///
    /// # Errors
    /// A condition cannot be decided.
    pub fn resources(&self, kind: &str) -> Result<Vec<String>, TemplateError> {
        let mut names = Vec::new();
        for (name, resource) in self.template["Resources"].as_object().into_iter().flatten() {
            if resource["Type"] == kind && self.exists(name)? {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// The properties of a resource with all functions resolved; of a function with the globals.
    ///
    /// # Errors
    /// It does not exist, or refers to something that does not.
    pub fn properties(&self, name: &str) -> Result<Value, TemplateError> {
        if !self.exists(name)? {
            return Err(invalid(format!("the resource {name} does not exist under these parameters")));
        }
        let resource = &self.template["Resources"][name];
        let mut properties = match resource["Type"].as_str() {
            Some("AWS::Serverless::Function") => self.template["Globals"]["Function"].clone(),
            _ => Value::Object(Map::new()),
        };
        if let (Some(all), Some(own)) = (properties.as_object_mut(), resource["Properties"].as_object()) {
            all.extend(own.clone());
        }
        Ok(self.resolve(&properties)?.unwrap_or_default())
    }

    /// All statements of a role: its own policies and the managed ones it names.
    ///
    /// # Errors
    /// A policy cannot be resolved or has an element that is not known.
    pub fn statements(&self, role: &str) -> Result<Vec<Statement>, TemplateError> {
        let properties = self.properties(role)?;
        let own =
            properties["Policies"].as_array().into_iter().flatten().map(|policy| policy["PolicyDocument"].clone());
        let mut documents: Vec<Value> = own.collect();
        for managed in properties["ManagedPolicyArns"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let name = managed.rsplit('/').next().unwrap_or_default();
            documents.push(self.properties(name)?["PolicyDocument"].clone());
        }
        let statements = documents.iter().flat_map(|document| document["Statement"].as_array().into_iter().flatten());
        statements.map(Statement::parse).collect()
    }

    fn exists(&self, name: &str) -> Result<bool, TemplateError> {
        let resource = &self.template["Resources"][name];
        match resource["Condition"].as_str() {
            _ if resource.is_null() => Err(invalid(format!("there is no resource {name}"))),
            Some(condition) => self.condition(condition),
            None => Ok(true),
        }
    }

    fn condition(&self, name: &str) -> Result<bool, TemplateError> {
        let condition = &self.template["Conditions"][name];
        if condition.is_null() {
            return Err(invalid(format!("there is no condition {name}")));
        }
        self.truth(condition)
    }

    fn truth(&self, value: &Value) -> Result<bool, TemplateError> {
        let members = value.as_object().filter(|members| members.len() == 1);
        let (name, arguments) = members.and_then(|members| members.iter().next()).ok_or_else(|| unclear(value))?;
        let list = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name.as_str(), list) {
            ("Condition", _) => self.condition(arguments.as_str().unwrap_or_default()),
            ("Fn::Not", [one]) => Ok(!self.truth(one)?),
            ("Fn::And", _) => list.iter().try_fold(true, |all, one| Ok(all && self.truth(one)?)),
            ("Fn::Or", _) => list.iter().try_fold(false, |any, one| Ok(any || self.truth(one)?)),
            ("Fn::Equals", [left, right]) => Ok(self.text(left)? == self.text(right)?),
            _ => Err(unclear(value)),
        }
    }

    /// A value with all functions resolved; nothing for `AWS::NoValue`.
    ///
    /// # Errors
    /// A reference leads nowhere, or a function is not known here.
    pub fn resolve(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Array(list) => {
                let elements: Result<Vec<_>, _> = list.iter().map(|element| self.resolve(element)).collect();
                Ok(Some(Value::Array(elements?.into_iter().flatten().collect())))
            }
            Value::Object(members) => match members.iter().next() {
                Some((name, arguments)) if members.len() == 1 && (name == "Ref" || name.starts_with("Fn::")) => {
                    self.call(name, arguments)
                }
                _ => {
                    let mut resolved = Map::new();
                    for (name, member) in members {
                        if let Some(member) = self.resolve(member)? {
                            resolved.insert(name.clone(), member);
                        }
                    }
                    Ok(Some(Value::Object(resolved)))
                }
            },
            _ => Ok(Some(value.clone())),
        }
    }

    fn call(&self, function: &str, arguments: &Value) -> Result<Option<Value>, TemplateError> {
        let list = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
        match (function, list) {
            ("Ref", _) => match arguments.as_str() {
                Some("AWS::NoValue") => Ok(None),
                name => self.reference(name.unwrap_or_default()).map(Some),
            },
            ("Fn::GetAtt", [resource, attribute]) => {
                let (resource, attribute) =
                    (resource.as_str().unwrap_or_default(), attribute.as_str().unwrap_or_default());
                self.attribute(resource, attribute).map(|text| Some(Value::from(text)))
            }
            ("Fn::If", [condition, yes, no]) => {
                let is_met = self.condition(condition.as_str().unwrap_or_default())?;
                self.resolve(if is_met { yes } else { no })
            }
            ("Fn::Sub", [text, values]) => self.substitute(text, Some(values)),
            ("Fn::Sub", _) => self.substitute(arguments, None),
            ("Fn::Split", [separator, text]) => {
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                Ok(Some(text.split(&separator).map(Value::from).collect()))
            }
            ("Fn::Join", [separator, Value::Array(parts)]) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.text(part)).collect();
                Ok(Some(Value::from(parts?.join(&self.text(separator)?))))
            }
            _ => Err(invalid(format!("{function} with {arguments} is not known here"))),
        }
    }

    /// `Fn::Sub`: `${Name}`, `${Name.Attribute}`, and `${!Text}` for a literal `${Text}`.
    fn substitute(&self, text: &Value, values: Option<&Value>) -> Result<Option<Value>, TemplateError> {
        let mut rest = text.as_str().ok_or_else(|| unclear(text))?;
        let mut result = String::new();
        while let Some(start) = rest.find("${") {
            result.push_str(&rest[..start]);
            let end =
                rest[start..].find('}').ok_or_else(|| invalid(format!("{text} has a ${{ without an end")))? + start;
            let name = &rest[start + 2..end];
            match (name.strip_prefix('!'), values.and_then(|values| values.get(name)), name.split_once('.')) {
                (Some(literal), _, _) => result.push_str(&format!("${{{literal}}}")),
                (None, Some(value), _) => result.push_str(&self.text(value)?),
                (None, None, Some((resource, attribute))) => result.push_str(&self.attribute(resource, attribute)?),
                (None, None, None) => result.push_str(&plain(&self.reference(name)?).ok_or_else(|| unclear(text))?),
            }
            rest = &rest[end + 1..];
        }
        result.push_str(rest);
        Ok(Some(Value::from(result)))
    }

    fn text(&self, value: &Value) -> Result<String, TemplateError> {
        self.resolve(value)?.as_ref().and_then(plain).ok_or_else(|| unclear(value))
    }

    fn reference(&self, name: &str) -> Result<Value, TemplateError> {
        let pseudo = match name {
            "AWS::AccountId" => Some(ACCOUNT),
            "AWS::Partition" => Some("aws"),
            "AWS::Region" => Some(REGION),
            "AWS::StackName" => Some(STACK),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        };
        if let Some(value) = pseudo.map(Value::from).or_else(|| self.parameters.get(name).cloned()) {
            return Ok(value);
        }
        // What `Ref` gives differs by type: the ARN, the address, or the name.
        let kind = self.kind(name)?;
        let attribute = match kind.as_str() {
            "AWS::Serverless::StateMachine" | "AWS::SNS::Topic" | "AWS::IAM::ManagedPolicy" => "Arn",
            "AWS::SQS::Queue" => "QueueUrl",
            _ => "Name",
        };
        self.attribute(name, attribute).map(Value::from)
    }

    fn kind(&self, name: &str) -> Result<String, TemplateError> {
        if !self.exists(name)? {
            return Err(invalid(format!("a reference to {name}, which does not exist under these parameters")));
        }
        Ok(self.template["Resources"][name]["Type"].as_str().unwrap_or_default().to_owned())
    }

    fn attribute(&self, name: &str, attribute: &str) -> Result<String, TemplateError> {
        let kind = self.kind(name)?;
        let properties = &self.template["Resources"][name]["Properties"];
        // The property that names the resource; without one AWS makes a name up.
        let property = match kind.as_str() {
            "AWS::Serverless::Function" => "FunctionName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::SNS::Topic" => "TopicName",
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::CloudWatch::Alarm" => "AlarmName",
            _ => "Name",
        };
        let own = match properties.get(property) {
            Some(given) => self.text(given)?,
            None => name.to_owned(),
        };
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        Ok(match (kind.as_str(), attribute) {
            (_, "Name" | "QueueName") => own,
            ("AWS::Serverless::Function", "Arn") => arn("lambda", &format!("function:{own}")),
            ("AWS::Serverless::StateMachine", "Arn") => arn("states", &format!("stateMachine:{own}")),
            ("AWS::SNS::Topic", "Arn") => arn("sns", &own),
            ("AWS::SQS::Queue", "Arn") => arn("sqs", &own),
            ("AWS::SQS::Queue", "QueueUrl") => format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{own}"),
            ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", &format!("table/{own}")),
            ("AWS::Logs::LogGroup", "Arn") => arn("logs", &format!("log-group:{own}:*")),
            ("AWS::CloudWatch::Alarm", "Arn") => arn("cloudwatch", &format!("alarm:{own}")),
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{own}"),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{own}"),
            ("AWS::IAM::ManagedPolicy", "Arn") => format!("arn:aws:iam::{ACCOUNT}:policy/{own}"),
            _ => return Err(invalid(format!("the attribute {attribute} of {name} ({kind}) is not known here"))),
        })
    }
}

/// Every name that a value refers to by `Ref`, `Fn::GetAtt` or `Fn::Sub`.
#[must_use]
pub fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Array(list) => list.iter().for_each(|element| collect(element, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "Ref" => found.extend(text(member)),
                    "Fn::GetAtt" => found.extend(member.get(0).and_then(text)),
                    "Fn::Sub" => {
                        let template = text(member).or_else(|| member.get(0).and_then(text)).unwrap_or_default();
                        let names = template.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next());
                        found.extend(names.map(str::to_owned));
                        collect(member, found);
                    }
                    _ => collect(member, found),
                }
            }
        }
        _ => {}
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn invalid(message: String) -> TemplateError {
    TemplateError::Invalid(message)
}

fn unclear(value: &Value) -> TemplateError {
    TemplateError::Invalid(format!("{value} gives no text or truth"))
}
