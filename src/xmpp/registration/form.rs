//! The registration form (XEP-0077 sections 3.1 and 14.1): which fields a server wants, and what a simulated account has
//! to say to them.

use crate::xmpp::{Credentials, Element, namespaces};

/// The fields the XEP knows, but for those with a meaning of their own. Listed means wanted.
const FIELDS: [&str; 14] = [
    "nick", "name", "first", "last", "email", "address", "city", "state", "zip", "phone", "url", "date",
    "misc", "text",
];

/// What a server asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// Beside username and password, in the server's order.
    fields: Vec<&'static str>,
    /// To be given back as it came.
    key: Option<String>,
}

/// Why a form cannot be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) condition: &'static str,
    pub(super) text: &'static str,
}

impl Form {
    /// Reads the answer to the request for the form.
    pub(super) fn read(iq: &Element<'_>) -> Result<Self, Unusable> {
        let unusable = |condition, text| Err(Unusable { condition, text });
        let Some(query) = iq.child("query", namespaces::REGISTRATION) else {
            return unusable("no-form", "the server answered without a registration form");
        };
        let (mut form, mut username, mut password) = (Self::default(), false, false);
        for child in query.children().filter(|child| child.namespace() == namespaces::REGISTRATION) {
            match child.local() {
                "username" => username = true,
                "password" => password = true,
                "key" => form.key = Some(child.text().into_owned()),
                other => form.fields.extend(FIELDS.iter().find(|field| **field == other)),
            }
        }
        if username && password {
            return Ok(form);
        }
        if query.child("x", namespaces::OUT_OF_BAND).is_some() {
            return unusable("registration-elsewhere", "the server wants registration done on a web page");
        }
        if query.child("x", namespaces::DATA_FORM).is_some() {
            return unusable(
                "registration-form",
                "the server wants a form filled in by a person (a captcha)",
            );
        }
        unusable("no-form", "the server's form does not ask for a username and a password")
    }

    /// Hands over the fields with their values; what a simulated account has no answer to gets its name.
    pub(super) fn fill_in(&self, account: &Credentials, domain: &str, write: impl FnOnce(&[(&str, &str)])) {
        let address = format!("{}@{domain}", account.username);
        let mut filled: Vec<(&str, &str)> =
            vec![("username", &account.username), ("password", &account.password)];
        let other =
            |field: &'static str| (field, if field == "email" { &*address } else { &*account.username });
        filled.extend(self.fields.iter().copied().map(other));
        if let Some(key) = &self.key {
            filled.push(("key", key));
        }
        write(&filled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::StreamNamespaces;

    fn read(query: &str) -> Result<Vec<(String, String)>, &'static str> {
        let text = format!("<iq type='result' id='form'>{query}</iq>");
        let namespaces = StreamNamespaces::default();
        let element = Element::parse(text.as_bytes(), &namespaces).unwrap();
        let form = Form::read(&element).map_err(|why| why.condition)?;
        let account = Credentials { username: "u1".into(), password: "secret".into() };
        let mut filled = Vec::new();
        form.fill_in(&account, "x.org", |fields| {
            filled = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        });
        Ok(filled)
    }

    #[test]
    fn what_is_asked_for_is_answered_and_no_more() {
        let fields = read(
            "<query xmlns='jabber:iq:register'><instructions>Choose.</instructions><key>k&amp;1</key><name/><username/>\
             <email/><password/><bogus/><x xmlns='jabber:x:data' type='form'><title>also</title></x></query>",
        );
        let expected = [
            ("username", "u1"),
            ("password", "secret"),
            ("name", "u1"),
            ("email", "u1@x.org"),
            ("key", "k&1"),
        ];
        assert_eq!(fields.unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_form_for_people_is_refused_by_its_kind() {
        for (query, condition) in [
            ("", "no-form"),
            ("<query xmlns='jabber:iq:register'/>", "no-form"),
            ("<query xmlns='jabber:iq:register'><username/></query>", "no-form"),
            (
                "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:oob'><url>http://x</url></x></query>",
                "registration-elsewhere",
            ),
            (
                "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='form'/></query>",
                "registration-form",
            ),
        ] {
            assert_eq!(read(query), Err(condition), "{query}");
        }
    }
}
