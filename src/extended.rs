//! Serialisation of numbers that may be infinite, in formats whose numbers may not: as the texts `inf`, `-inf` and `NaN`
//! where a person may read them.
//!
//! The modules are for `#[serde(with = ...)]`: this one for a number, the inner ones for arrays of numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Scalar;

pub(crate) fn serialize<A: Scalar + Serialize, S: Serializer>(x: &A, serializer: S) -> Result<S::Ok, S::Error> {
    Extended(*x).serialize(serializer)
}

pub(crate) fn deserialize<'de, A: Scalar + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<A, D::Error> {
    Ok(Extended::deserialize(deserializer)?.0)
}

macro_rules! of_container {
    ($(#[$what:meta])* $name:ident, $container:ident, $map:expr, $unmap:expr) => {
        $(#[$what])*
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn serialize<A: Scalar + Serialize, S: Serializer>(
                x: &$container<A>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                $map(x).serialize(serializer)
            }

            pub(crate) fn deserialize<'de, A: Scalar + Deserialize<'de>, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$container<A>, D::Error> {
                <$container<Extended<A>>>::deserialize(deserializer).map($unmap)
            }
        }
    };
}

type Array<A> = ndarray::Array1<A>;
type Matrix<A> = ndarray::Array2<A>;
type OptionalArray<A> = Option<Array<A>>;
type OptionalMatrix<A> = Option<Matrix<A>>;
type Pair<A> = [A; 2];
type Square<A> = [[A; 2]; 2];
type Pairs<A> = Vec<[A; 2]>;

of_container!(
    /// For `Array1<A>`.
    array, Array, |x: &Array<A>| x.mapv(Extended), |x: Array<Extended<A>>| x.mapv(|v| v.0)
);
of_container!(
    /// For `Array2<A>`.
    matrix, Matrix, |x: &Matrix<A>| x.mapv(Extended), |x: Matrix<Extended<A>>| x.mapv(|v| v.0)
);
of_container!(
    /// For `Option<Array1<A>>`.
    optional_array,
    OptionalArray,
    |x: &OptionalArray<A>| x.as_ref().map(|x| x.mapv(Extended)),
    |x: OptionalArray<Extended<A>>| x.map(|x| x.mapv(|v| v.0))
);
of_container!(
    /// For `Option<Array2<A>>`.
    optional_matrix,
    OptionalMatrix,
    |x: &OptionalMatrix<A>| x.as_ref().map(|x| x.mapv(Extended)),
    |x: OptionalMatrix<Extended<A>>| x.map(|x| x.mapv(|v| v.0))
);
of_container!(
    /// For `[A; 2]`.
    pair, Pair, |x: &Pair<A>| x.map(Extended), |x: Pair<Extended<A>>| x.map(|v| v.0)
);
of_container!(
    /// For `[[A; 2]; 2]`.
    square, Square, |x: &Square<A>| x.map(|row| row.map(Extended)), |x: Square<Extended<A>>| x.map(|row| row.map(|v| v.0))
);

of_container!(
    /// For `Vec<[A; 2]>`.
    pairs,
    Pairs,
    |x: &Pairs<A>| x.iter().map(|pair| pair.map(Extended)).collect::<Vec<_>>(),
    |x: Pairs<Extended<A>>| x.into_iter().map(|pair| pair.map(|v| v.0)).collect()
);

#[derive(Clone, Copy)]
struct Extended<A>(A);

impl<A: Scalar + Serialize> Serialize for Extended<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() || !serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de, A: Scalar + Deserialize<'de>> Deserialize<'de> for Extended<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum NumberOrText<A> {
            Number(A),
            Text(String),
        }
        if !deserializer.is_human_readable() {
            return A::deserialize(deserializer).map(Self);
        }
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(x) => Ok(Self(x)),
            NumberOrText::Text(text) => text.parse().map(|x| Self(A::of(x))).map_err(de::Error::custom),
        }
    }
}
