//! Denials of a request whose signature is right, in IAM's words.

use aws_credential_types::Credentials;

/// The policy that denies a request, set by [`IamGateway::deny_by`](crate::IamGateway::deny_by).
///
/// The messages are IAM's, with an account and names that do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyDenial {
    /// No policy allows the action.
    Implicit,
    /// An identity-based policy denies it.
    ExplicitIdentity,
    /// A resource-based policy denies it.
    ExplicitResource,
    /// A service control policy of the organization denies it.
    ServiceControlPolicy,
    /// A resource control policy of the organization denies it.
    ResourceControlPolicy,
    /// The permissions boundary does not allow it.
    PermissionsBoundary,
    /// The session policy does not allow it.
    SessionPolicy,
    /// The policy of the VPC endpoint denies it.
    VpcEndpoint,
    /// The policy of a KMS key does not allow the key's use.
    Kms,
}

impl PolicyDenial {
    /// IAM's message; account and names are made up.
    pub(super) fn message(
        self,
        credentials: &Credentials,
        (service, region): (&str, &str),
        (method, path): (&str, &str),
    ) -> String {
        let user = match credentials.session_token() {
            Some(_) => "arn:aws:sts::123456789012:assumed-role/emulated/session",
            None => "arn:aws:iam::123456789012:user/emulated",
        };
        let (action, resource) = match service {
            "execute-api" => (
                "execute-api:Invoke".to_owned(),
                format!("arn:aws:execute-api:{region}:********9012:emulated/prod/{method}{path}"),
            ),
            "s3" => ("s3:GetObject".to_owned(), format!("\"arn:aws:s3:::{}\"", path.trim_start_matches('/'))),
            _ => (
                format!("{service}:Invoke"),
                format!("arn:aws:{service}:{region}:********9012:emulated/prod/{method}{path}"),
            ),
        };
        if self == Self::Kms {
            return format!(
                "User: {user} is not authorized to perform: kms:GenerateDataKey on this resource because the resource \
                 does not exist in this Region, no resource-based policies allow access, or a resource-based policy \
                 explicitly denies access"
            );
        }
        let why = match self {
            Self::Implicit if service == "execute-api" => "",
            Self::Implicit => &format!(" because no identity-based policy allows the {action} action"),
            Self::ExplicitIdentity => " with an explicit deny in an identity-based policy",
            Self::ExplicitResource => " with an explicit deny in a resource-based policy",
            Self::ServiceControlPolicy => " with an explicit deny in a service control policy",
            Self::ResourceControlPolicy => " with an explicit deny in a resource control policy",
            Self::PermissionsBoundary => {
                &format!(" because no permissions boundary allows the {action} action")
            }
            Self::SessionPolicy => &format!(" because no session policy allows the {action} action"),
            Self::VpcEndpoint => " with an explicit deny in a VPC endpoint policy",
            Self::Kms => "",
        };
        format!("User: {user} is not authorized to perform: {action} on resource: {resource}{why}")
    }
}
