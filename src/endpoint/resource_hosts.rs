//! Hosts that botocore's data does not contain: those that begin with a resource's name, old forms, and names of
//! customers' machines.

use super::table::DomainKind;

/// Labels before the region, without any resource labels in front (`@` is the region where it does not come last),
/// and the signing name, for standard and dual-stack domains. From AWS's service documents and the parametrized
/// templates of the endpoint rule sets. Sorted.
#[rustfmt::skip]
static RESOURCES: [(&str, &str); 50] = [
    ("@.aoss", "aoss"),
    ("@.cloudsearch", "cloudsearch"),
    ("@.es", "es"),
    ("@.neptune", "neptune-db"),
    ("@.neptune-graph", "neptune-graph"),
    ("@.opensearch", "opensearch"),
    ("@.osis", "osis"),
    ("@.queue", "sqs"),
    ("@.rds", "rds-db"),
    ("@.vpc-lattice-svcs", "vpc-lattice-svcs"),
    ("aoss", "aoss"),
    ("appsync-api", "appsync"),
    ("appsync-realtime-api", "appsync"),
    ("aps-workspaces", "aps"),
    ("bedrock-mantle", "bedrock-mantle"),
    ("control-kinesis", "kinesis"),
    ("control-kinesis-queues", "kinesis"),
    ("data-kinesis", "kinesis"),
    ("data-kinesis-queues", "kinesis"),
    ("data.mediastore", "mediastore"),
    ("dataplane.evidently", "evidently"),
    ("ddb", "dynamodb"),
    ("dicom-medical-imaging", "medical-imaging"),
    ("dsql", "dsql"),
    ("eventsv2", "events"),
    ("execute-api", "execute-api"),
    ("gateway.bedrock-agentcore", "bedrock-agentcore"),
    ("git-codecommit", "codecommit"),
    ("iot", "iotdata"),
    ("jobs.iot", "iot-jobs-data"),
    ("kinesisvideo", "kinesisvideo"),
    ("livy.emr-serverless-services", "emr-serverless"),
    ("managedblockchain", "managedblockchain"),
    ("mediaconvert", "mediaconvert"),
    ("mediapackagev2", "mediapackagev2"),
    ("neptune-graph", "neptune-graph"),
    ("osm", "osm"),
    // In China the region comes last: `{id}.{hash}.rds.cn-north-1.amazonaws.com.cn`.
    ("rds", "rds-db"),
    ("route53-recovery-cluster", "route53-recovery-cluster"),
    ("s3", "s3"),
    ("s3-accesspoint", "s3"),
    ("s3-control", "s3"),
    ("s3-object-lambda", "s3-object-lambda"),
    ("s3-outposts", "s3-outposts"),
    ("s3express-control", "s3express"),
    ("search-ddb", "dynamodb"),
    ("streams-ddb", "dynamodb"),
    // `{query,ingest}-cell1.timestream`, by endpoint discovery.
    ("timestream", "timestream"),
    ("transcribestreaming", "transcribe"),
    ("vpc-lattice-svcs", "vpc-lattice-svcs"),
];

/// As [`RESOURCES`], for `on.aws` and its counterparts. Customers' machines are there too, so nothing else is
/// recognized in those domains.
static ON_AWS: [(&str, &str); 5] = [
    ("aos", "es"),
    ("aoss", "aoss"),
    ("dsql", "dsql"),
    ("lambda-url", "lambda"),
    ("vpc-lattice-svcs", "vpc-lattice-svcs"),
];

/// Labels before the region that are not a service's: customers' machines are below them. A test compares them with
/// the public suffix list.
static CUSTOMERS: [&str; 8] = [
    "analytics-gateway",
    "compute",
    "elb",
    "emrappui-prod",
    "emrnotebooks-prod",
    "emrstudio-prod",
    "s3-deprecated",
    "s3-website",
];

/// The region that a host without a region label is signed for.
#[derive(Clone, Copy)]
pub(super) enum HostRegion {
    Fixed(&'static str),
    /// Every region, with SigV4a.
    Every,
    /// It cannot be inferred from the host.
    Unknown,
}

struct Regionless {
    kind: DomainKind,
    /// The last labels in front of AWS's domain.
    name: &'static str,
    service: &'static str,
    region: HostRegion,
    rule: &'static str,
}

#[rustfmt::skip]
static REGIONLESS: [Regionless; 13] = {
    use DomainKind::{DualStack, Standard};
    use HostRegion::{Every, Fixed, Unknown};
    const fn row(
        kind: DomainKind, name: &'static str, service: &'static str, region: HostRegion, rule: &'static str,
    ) -> Regionless {
        Regionless { kind, name, service, region, rule }
    }
    [
        row(Standard, "accesspoint.s3-global", "s3", Every, "S3 multi-region access point"),
        row(DualStack, "cloudfront-kvs.global", "cloudfront-keyvaluestore", Every, "CloudFront key value store"),
        row(Standard, "endpoint.events", "events", Every, "EventBridge global endpoint"),
        row(DualStack, "endpoint.events", "events", Every, "EventBridge global endpoint"),
        row(Standard, "endpoints.email", "ses", Every, "SES global endpoint"),
        row(DualStack, "endpoints.email.global", "ses", Every, "SES global endpoint"),
        row(Standard, "endpoints.email.us-gov", "ses", Every, "SES global endpoint"),
        row(DualStack, "endpoints.email.us-gov", "ses", Every, "SES global endpoint"),
        row(Standard, "global.rds", "rds-db", Unknown, "Aurora global database writer"),
        row(Standard, "queue", "sqs", Fixed("us-east-1"), "SQS, old form"),
        row(Standard, "s3", "s3", Unknown, "S3 without region"),
        row(Standard, "s3-accelerate", "s3", Unknown, "S3 transfer acceleration"),
        row(Standard, "s3-external-1", "s3", Fixed("us-east-1"), "S3, old form"),
    ]
};

/// The signing name of the longest end of `name` that is known, in whole labels and with the region's place.
pub(super) fn resource(kind: DomainKind, name: &str) -> Option<&'static str> {
    let table: &[(&str, &'static str)] = match kind {
        DomainKind::Standard | DomainKind::DualStack => &RESOURCES,
        DomainKind::Resources => &ON_AWS,
    };
    let inside = name.contains('@');
    ends(name).take_while(|end| !inside || end.contains('@')).find_map(|end| {
        let at = table.binary_search_by(|(key, _)| (*key).cmp(end)).ok()?;
        table.get(at).map(|(_, service)| *service)
    })
}

/// Signing name, region and rule of a host without a region label.
pub(super) fn regionless(kind: DomainKind, name: &str) -> Option<(&'static str, HostRegion, &'static str)> {
    ends(name).find_map(|end| {
        let row = REGIONLESS.iter().find(|row| row.kind == kind && row.name == end)?;
        Some((row.service, row.region, row.rule))
    })
}

/// Whether the label before a region of a standard domain can be the name of a service that the table does not
/// contain: not a name that customers' machines are below, and not a machine's address or id, such as
/// `ec2-203-0-113-25` or `vpce-svc-0123`.
pub(super) fn is_service_name(label: &str) -> bool {
    let numbers = label.split('-').filter(|part| part.bytes().all(|b| b.is_ascii_digit())).count();
    label.starts_with(|first: char| first.is_ascii_lowercase())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && numbers <= 1
        && !label.starts_with("vpce-")
        && !CUSTOMERS.contains(&label)
}

/// `name` and its tails, one label shorter each time.
fn ends(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |rest| rest.split_once('.').map(|(_, tail)| tail))
}
