//! Two forms that people like to write: a word that may carry details, and one thing or a list.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An externally tagged enum whose variants all have optional details: `denied` is short for
/// `denied: {}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word<T>(pub T);

impl<T> Deref for Word<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Form<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word, or a word with details: `word: { ... }`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
                T::deserialize(Bare::<E>(word.into_deserializer())).map(Word)
            }

            // `yes` without quotes is one of these: whoever writes it is told the words.
            fn visit_bool<E: Error>(self, word: bool) -> Result<Self::Value, E> {
                self.visit_str(if word { "true" } else { "false" })
            }

            fn visit_u64<E: Error>(self, word: u64) -> Result<Self::Value, E> {
                self.visit_str(&word.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(Detailed(map)).map(Word)
            }
        }
        deserializer.deserialize_any(Form(PhantomData))
    }
}

/// Either one of the words alone, or as the enum itself is written.
impl<T: JsonSchema> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrWord", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let detailed = generator.subschema_for::<T>();
        let own = T::json_schema(generator);
        let variants = own.get("oneOf").and_then(|all| all.as_array());
        let words = variants.into_iter().flatten().filter_map(|variant| {
            let (name, details) = variant.get("properties")?.as_object()?.iter().next()?;
            may_be_empty(details, generator).then(|| name.clone())
        });
        let words: Vec<String> = words.collect();
        json_schema!({ "anyOf": [{ "enum": words }, detailed] })
    }
}

/// Whether a word needs no details: whether `{}` is what its schema asks for.
fn may_be_empty(details: &Value, generator: &SchemaGenerator) -> bool {
    let name = details.get("$ref").and_then(Value::as_str);
    let name = name.and_then(|path| path.rsplit('/').next());
    let details = match name {
        Some(name) => generator.definitions().get(name).unwrap_or(details),
        None => details,
    };
    let asks = ["oneOf", "anyOf", "allOf", "required"];
    details["type"] == "object" && asks.iter().all(|key| details.get(key).is_none())
}

struct Bare<'a, E>(StrDeserializer<'a, E>);

impl<'de, E: Error> Deserializer<'de> for Bare<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de, E: Error> EnumAccess<'de> for Bare<'_, E> {
    type Error = E;
    type Variant = NoDetails<E>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, NoDetails<E>), E> {
        Ok((seed.deserialize(self.0)?, NoDetails(PhantomData)))
    }
}

struct NoDetails<E>(PhantomData<E>);

fn nothing<'de, E: Error>() -> MapDeserializer<'de, std::iter::Empty<(&'de str, &'de str)>, E> {
    MapDeserializer::new(std::iter::empty())
}

impl<'de, E: Error> VariantAccess<'de> for NoDetails<E> {
    type Error = E;

    fn unit_variant(self) -> Result<(), E> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, E> {
        let bare = seed.deserialize(nothing::<E>());
        bare.map_err(|_| E::custom("this word says nothing by itself: write `word: { ... }`"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, E> {
        visitor.visit_map(nothing())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_map(nothing())
    }
}

struct Detailed<A>(A);

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Detailed<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Detailed<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Self), A::Error> {
        match self.0.next_key_seed(seed)? {
            Some(variant) => Ok((variant, self)),
            None => Err(A::Error::custom("one word belongs here, and there is none")),
        }
    }
}

impl<'de, A: MapAccess<'de>> Detailed<A> {
    fn value<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.0.next_value_seed(seed)?;
        match self.0.next_key::<String>()? {
            None => Ok(value),
            Some(extra) => Err(A::Error::custom(format_args!(
                "one word belongs here, and `{extra}` is a second one"
            ))),
        }
    }
}

struct StructVariant<V>(&'static [&'static str], V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for StructVariant<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_struct("", self.0, self.1)
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Detailed<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.value(PhantomData::<()>)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.value(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.value(StructVariant(&[], visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.value(StructVariant(fields, visitor))
    }
}

/// One thing, or a list of them. For places wrap the whole: `Spanned<OneOrMany<..>>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for OneOrMany<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrMany", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Form<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(text.into_deserializer()).map(|one| OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = seq.next_element()? {
                    many.push(one);
                }
                Ok(OneOrMany(many))
            }
        }
        deserializer.deserialize_any(Form(PhantomData))
    }
}
