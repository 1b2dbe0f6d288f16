//! [`Cause`]: why a request was refused.

use std::fmt;

/// Declares the causes: variant, name, what it means, what to do.
macro_rules! causes {
    ($($(#[$section:meta])* $variant:ident $name:literal $meaning:literal $advice:literal)*) => {
        /// Why a request was refused, as far as the response and the record of what was signed show it.
        ///
        /// Display writes its meaning, as text without a period at its end; [`as_str`](Self::as_str) is its name for logs
        /// and metrics.
        ///
        /// ```
        /// use sigv4_middleware::diagnosis::Cause;
        ///
        /// let cause = Cause::PolicyImplicitDeny;
        /// assert_eq!(cause.as_str(), "policy-implicit-deny");
        /// assert!(cause.signature_was_accepted());
        /// println!("{cause}: {}", cause.what_to_do());
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $variant,)*
        }

        impl Cause {
            /// All causes, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in kebab case, such as `scope-region-wrong`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do about it if nothing more is known; [`Diagnosis::what_to_do`] is more specific.
            ///
            /// [`Diagnosis::what_to_do`]: super::Diagnosis::what_to_do
            #[must_use]
            pub fn what_to_do(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

causes! {
    SignatureMismatchSecret "signature-mismatch-secret"
        "the secret access key is not that of the access key id"
        "use the secret of this access key id; look for one that is cut, escaped, or swapped with another"
    SignatureMismatchHost "signature-mismatch-host"
        "the Host that arrived is not the one that was signed"
        "sign the Host that arrives: call the endpoint by its own name, and let proxies pass Host on unchanged"
    SignatureMismatchPathEncoding "signature-mismatch-path-encoding"
        "the path was percent-encoded in another way than the server signs it"
        "encode each segment once for S3 and twice for other services, in upper-case hex, all but A-Z a-z 0-9 - . _ ~"
    SignatureMismatchPathNormalization "signature-mismatch-path-normalization"
        "the path that arrived has other segments than the one that was signed"
        "sign the path that is really requested; look at prefixes, //, the bucket's place, and proxies that rewrite"
    SignatureMismatchQueryOrder "signature-mismatch-query-order"
        "the query's parameters were signed in another order"
        "sort by encoded name, then by value; not by the whole name=value"
    SignatureMismatchQueryEncoding "signature-mismatch-query-encoding"
        "the query was percent-encoded in another way than the server signs it"
        "encode names and values once, in upper-case hex, a space as %20 and a plus sign as %2B"
    SignatureMismatchQueryAltered "signature-mismatch-query-altered"
        "the query that arrived has other parameters than the one that was signed"
        "keep whatever adds, drops or rewrites parameters from doing so after signing"
    SignatureMismatchMethod "signature-mismatch-method"
        "the method that arrived is not the one that was signed"
        "send the request with the method it was signed for; a redirect may have turned POST into GET"
    SignatureMismatchContentType "signature-mismatch-content-type"
        "the Content-Type that arrived is not the one that was signed"
        "set Content-Type before signing, and keep the HTTP library from adding a charset or boundary to it"
    SignatureMismatchHeaderWhitespace "signature-mismatch-header-whitespace"
        "white space in a signed header was not folded as the server does"
        "trim header values and fold each run of spaces into one before signing"
    SignatureMismatchHeaderMissing "signature-mismatch-header-missing"
        "a signed header did not arrive"
        "send every signed header, and sign none that a proxy drops (connection, expect, transfer-encoding, …)"
    SignatureMismatchHeaderAltered "signature-mismatch-header-altered"
        "a signed header arrived with another value"
        "sign only host, content-type and x-amz-*; leave out what proxies change (user-agent, accept-encoding, \
         x-forwarded-*, …)"
    SignatureMismatchPayloadHash "signature-mismatch-payload-hash"
        "the body that arrived is not the one whose hash was signed"
        "hash the bytes that are sent, after encoding and compression, and send the hash in x-amz-content-sha256"
    SignatureMismatchSignedHeaders "signature-mismatch-signed-headers"
        "the list of signed headers is not the same on both sides"
        "sign and list the same headers, in lower case and sorted"
    SignatureMismatchStringToSign "signature-mismatch-string-to-sign"
        "the date or scope in the string to sign is another than the server's"
        "use one date and one scope for the signing key, the string to sign, the Authorization and x-amz-date"
    SignatureMismatchUnspecified "signature-mismatch-unspecified"
        "the signature does not match, and it is not known where"
        "check, in this order: the Host signed, the path's encoding, the payload hash, the session token, the secret"

    AuthorizationHeaderMalformed "authorization-header-malformed"
        "the Authorization header is not in SigV4's form"
        "send the header whole, on one line; look for blanks and line breaks in the access key id"
    AuthorizationSchemeWrong "authorization-scheme-wrong"
        "the Authorization header is of another scheme than SigV4"
        "sign the request instead of sending a bearer token; at API Gateway also check that the route exists"
    AuthorizationDuplicated "authorization-duplicated"
        "the request is signed twice: in a header and in the query"
        "sign in one of the two; do not send Authorization along with a presigned URL or a redirect"
    CredentialMalformed "credential-malformed"
        "the credential scope is not in its form"
        "write Credential as KEYID/YYYYMMDD/REGION/SERVICE/aws4_request, and escape it once in a query"
    HostNotSigned "host-not-signed"
        "Host is not among the signed headers"
        "sign host; in a presigned URL, escape X-Amz-SignedHeaders once"
    UnsignedHeadersPresent "unsigned-headers-present"
        "headers were sent that have to be signed and are not"
        "sign the named headers, or do not send them"
    PayloadHashHeaderMissing "payload-hash-header-missing"
        "the header x-amz-content-sha256 is missing"
        "send x-amz-content-sha256, and sign it"
    PayloadHashHeaderInvalid "payload-hash-header-invalid"
        "the header x-amz-content-sha256 holds no hash"
        "send 64 lower-case hex digits, UNSIGNED-PAYLOAD, or a STREAMING-… value that the service takes"
    PayloadHashMismatch "payload-hash-mismatch"
        "the body is not the one that x-amz-content-sha256 names"
        "hash the bytes that are sent, after encoding and compression"
    Sigv4Required "sigv4-required"
        "the service takes SigV4 signatures only"
        "sign with SigV4 (AWS4-HMAC-SHA256)"
    PresignedParametersMissing "presigned-parameters-missing"
        "the presigned URL or form lacks parameters of its signature"
        "use the whole URL or form, escaped once; a CloudFront signed URL is not for S3's host"

    ScopeRegionWrong "scope-region-wrong"
        "the request was signed for another region"
        "sign for the region of the endpoint that is called"
    ScopeServiceWrong "scope-service-wrong"
        "the request was signed for another service"
        "sign for the service that the response names"
    ScopeDateMismatch "scope-date-mismatch"
        "the day in the credential scope is not that of the date"
        "take one reading of the clock for x-amz-date and scope, and derive the signing key for that day"
    ScopeTerminatorWrong "scope-terminator-wrong"
        "the credential scope does not end in aws4_request"
        "end the credential scope in aws4_request"

    ClockSkewBehind "clock-skew-behind"
        "the request was signed too long ago, or the client's clock is behind"
        "set the client's clock, and sign each attempt anew shortly before it is sent"
    ClockSkewAhead "clock-skew-ahead"
        "the request was signed with a date in the future"
        "set the client's clock; sign with UTC, not with local time"
    ClockSkew "clock-skew"
        "the signing date is too far from the server's clock"
        "set the clocks of client and server, and sign each attempt anew"
    PresignedExpired "presigned-expired"
        "the presigned URL has expired"
        "make a new URL; if it was new, the clock of the machine that presigned is behind"
    PresignedNotYetValid "presigned-not-yet-valid"
        "the presigned URL is not valid yet"
        "set the clock of the machine that presigned, which is ahead"
    PresignedExpiryInvalid "presigned-expiry-invalid"
        "the presigned URL asks for a lifetime that is not allowed"
        "ask for 1 to 604800 seconds (7 days)"

    CredentialsAbsent "credentials-absent"
        "the request arrived unsigned"
        "sign the request; if it was signed, look for what removed the Authorization header on the way"
    AccessKeyUnknown "access-key-unknown"
        "the access key id is not known"
        "check the access key id, and that it is of this partition and endpoint and not deleted"
    AccessKeyInactive "access-key-inactive"
        "the access key is not active"
        "activate the access key, or use another"
    SessionTokenMissing "session-token-missing"
        "temporary credentials were used without their session token"
        "send and sign x-amz-security-token: an access key id that begins with ASIA needs it"
    SessionTokenInvalid "session-token-invalid"
        "the session token is not valid, or not of this access key"
        "get a whole new set of credentials; opt-in regions want tokens of a regional STS endpoint"
    SessionTokenExpired "session-token-expired"
        "the session token has expired"
        "get new temporary credentials, and refresh them before they expire"
    SubscriptionRequired "subscription-required"
        "the account is not subscribed to the service"
        "activate the service, or the region, for the account"

    PolicyImplicitDeny "policy-implicit-deny"
        "the signature was accepted, and no policy allows the action"
        "allow the action on the resource to this principal"
    PolicyExplicitDenyIdentity "policy-explicit-deny-identity"
        "the signature was accepted, and an identity-based policy denies the action"
        "look for the Deny in the principal's policies, and meet its condition (MFA, address, region)"
    PolicyExplicitDenyResource "policy-explicit-deny-resource"
        "the signature was accepted, and a resource-based policy denies the action"
        "look for the Deny in the resource's policy, and meet its condition (TLS, encryption, VPC endpoint, address)"
    PolicyScpDeny "policy-scp-deny"
        "the signature was accepted, and a service control policy of the organization denies the action"
        "ask the organization's administrators; such a policy often allows certain regions only"
    PolicyRcpDeny "policy-rcp-deny"
        "the signature was accepted, and a resource control policy of the organization denies the action"
        "ask the administrators of the organization that owns the resource"
    PolicyBoundaryDeny "policy-boundary-deny"
        "the signature was accepted, and the principal's permissions boundary does not allow the action"
        "allow the action in the permissions boundary as well"
    PolicySessionDeny "policy-session-deny"
        "the signature was accepted, and the session policy does not allow the action"
        "allow the action in the policy that the role was assumed with"
    PolicyVpcEndpointDeny "policy-vpc-endpoint-deny"
        "the signature was accepted, and the policy of the VPC endpoint does not allow the action"
        "allow the action in the policy of the VPC endpoint"
    ResourcePolicyAnonymous "resource-policy-anonymous"
        "the request arrived unsigned, and the resource's policy allows no anonymous one"
        "sign the request, or open the resource's policy"
    AccessDeniedUnspecified "access-denied-unspecified"
        "access is denied, and the response does not say why"
        "check, in this order: that the request was signed, the policies of principal and resource, the KMS key, ACL and \
         block public access, the bucket's owner, and whether the object exists"
    KmsDenied "kms-denied"
        "the signature was accepted, and the KMS key does not allow its use"
        "allow the action in the key's policy and to the principal; check the key's region and state"
    DataAccessPolicyDenied "data-access-policy-denied"
        "the signature was accepted, and the search service's own access rules deny the request"
        "add the principal to the data access policy, or map it to a role"
    IamRefusedUnspecified "iam-refused-unspecified"
        "IAM authorization failed, and the response does not say why"
        "check, in this order: that the request is signed for this service, scope, clock, session token, then the policy"
    FunctionUrlDenied "function-url-denied"
        "the function URL refused the caller"
        "sign for the service lambda, and allow lambda:InvokeFunctionUrl and lambda:InvokeFunction to the caller"
    ModelAccessNotGranted "model-access-not-granted"
        "the account has no access to the model"
        "ask for access to the model, in this region"
    PostPolicyViolated "post-policy-violated"
        "the form does not meet the policy it was signed with"
        "send the fields as the policy has them"
    WebIdentityDenied "web-identity-denied"
        "the role may not be assumed with this identity token"
        "check the role's trust policy: provider, audience and subject; such a call is not signed"
    WebIdentityExpired "web-identity-expired"
        "the identity token has expired"
        "get a new identity token from its provider"
    HeadWithoutBody "head-without-body"
        "a HEAD was refused, and its response has no body to say why"
        "repeat the request as GET to learn the code"
    AccountProblem "account-problem"
        "the account is suspended, or its access disabled"
        "ask AWS about the account; the request is fine"
    ObjectStateInvalid "object-state-invalid"
        "the object is archived, and must be restored first"
        "restore the object, and read it then"
    RequiredHeaderMissing "required-header-missing"
        "the request lacks a header that the service requires"
        "send the header; the signature was not looked at"
    BodyDigestMismatch "body-digest-mismatch"
        "the body is not the one that its checksum header names"
        "compute the checksum of the bytes that are sent"

    RouteNotFoundMasked "route-not-found-masked"
        "the request was signed, and its method, path or stage does not exist at this API"
        "compare method, path, stage and trailing slash with the routes that are deployed"
    WrongStageOrRoute "wrong-stage-or-route"
        "nothing is found at this URL"
        "check URL, stage, account and region"
    WrongEndpoint "wrong-endpoint"
        "the bucket is to be reached at another endpoint"
        "sign anew, for the endpoint and the region that the response names"

    ApiKeyMissing "api-key-missing"
        "the API requires an API key, which is missing or not of its usage plan"
        "send x-api-key with a key of a usage plan of this stage; the signature does not replace it"
    UsagePlanExceeded "usage-plan-exceeded"
        "the quota of the API key's usage plan is used up"
        "wait for the next period, or raise the quota"
    JwtAuthorizerRefused "jwt-authorizer-refused"
        "the route requires a token of an identity provider, not a signature"
        "send a new token with the audience and scope that the route wants"
    LambdaAuthorizerDenied "lambda-authorizer-denied"
        "the API's own authorizer denied the request"
        "look at the policy that the Lambda authorizer returns"
    WafBlocked "waf-blocked"
        "a web ACL (AWS WAF) blocked the request"
        "look at the web ACL's log for the rule that matched"
    CdnGeoBlocked "cdn-geo-blocked"
        "CloudFront blocks requests from this country"
        "change the distribution's geographic restriction"
    CloudfrontSignedUrlInvalid "cloudfront-signed-url-invalid"
        "CloudFront's own signed URL or cookie is not valid; that is not SigV4"
        "check key group, key pair id, policy and times (in seconds) of the signed URL"
    ProxyDenied "proxy-denied"
        "a proxy between here and the service refused the request"
        "put the host on NO_PROXY, or on the list of hosts that the proxy allows"
    ThirdPartyCdnBlocked "third-party-cdn-blocked"
        "a CDN that is not AWS's blocked the request"
        "look at the rules of that CDN"
    CorsRefused "cors-refused"
        "the CORS rules do not allow the request"
        "allow origin, method and headers in the CORS rules"
    ServiceThrottled "service-throttled"
        "the service limits the rate of requests"
        "wait, and retry with backoff"
    Application401 "application-401"
        "the application behind the endpoint requires a login of its own"
        "look at what the application wants; the signature is not its concern"
    Application403 "application-403"
        "the application behind the endpoint denied the request"
        "look at the application's own rules; the signature is not its concern"
}

impl Cause {
    /// Whether the signature was certainly accepted: the request was authenticated, and then denied.
    #[must_use]
    pub fn signature_was_accepted(self) -> bool {
        self.meaning().starts_with("the signature was accepted")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_kebab_case() {
        let names: HashSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(names.iter().all(|name| name.bytes().all(plain)), "{names:?}");
    }

    #[test]
    fn only_denials_by_policy_say_that_the_signature_was_accepted() {
        assert!(
            Cause::PolicyImplicitDeny.signature_was_accepted() && Cause::KmsDenied.signature_was_accepted()
        );
        assert!(!Cause::AccessDeniedUnspecified.signature_was_accepted());
        assert!(!Cause::SignatureMismatchSecret.signature_was_accepted());
    }
}
