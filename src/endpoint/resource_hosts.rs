//! Hosts that botocore's data does not hold: those that begin with the name of a resource, and old ones.

/// Ends of what stands before the region, below any resource labels (`@` where the region does not come last),
/// and the signing name. From AWS's service documents and the rule sets' parametrised templates. Sorted.
#[rustfmt::skip]
pub(super) static RESOURCES: [(&str, &str); 43] = [
    ("@.aoss", "aoss"),
    ("@.cloudsearch", "cloudsearch"),
    ("@.es", "es"),
    ("@.neptune", "neptune-db"),
    ("@.neptune-graph", "neptune-graph"),
    ("@.queue", "sqs"),
    ("@.vpc-lattice-svcs", "vpc-lattice-svcs"),
    ("aos", "es"),
    ("aoss", "aoss"),
    ("appsync-api", "appsync"),
    ("appsync-realtime-api", "appsync"),
    ("aps-workspaces", "aps"),
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
    ("lambda-url", "lambda"),
    ("managedblockchain", "managedblockchain"),
    ("mediaconvert", "mediaconvert"),
    ("neptune-graph", "neptune-graph"),
    ("osm", "osm"),
    ("s3", "s3"),
    ("s3-accesspoint", "s3"),
    ("s3-control", "s3"),
    ("s3-object-lambda", "s3-object-lambda"),
    ("s3-outposts", "s3-outposts"),
    ("s3express-control", "s3express"),
    ("search-ddb", "dynamodb"),
    ("streams-ddb", "dynamodb"),
    ("transcribestreaming", "transcribe"),
    ("vpc-lattice-svcs", "vpc-lattice-svcs"),
];

/// What a host without a region is signed for.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    Region(&'static str),
    /// SigV4a, for every region.
    EveryRegion,
    /// The host does not say.
    Unsaid,
}

/// Ends of hosts without a region: labels in front of AWS's domain, signing name, scope, the rule's name.
pub(super) static REGIONLESS: [(&str, &str, Scope, &str); 10] = [
    ("accesspoint.s3-global", "s3", Scope::EveryRegion, "S3 multi-region access point"),
    ("cloudfront-kvs.global", "cloudfront-keyvaluestore", Scope::EveryRegion, "CloudFront key value store"),
    ("endpoint.events", "events", Scope::EveryRegion, "EventBridge global endpoint"),
    ("endpoints.email", "ses", Scope::EveryRegion, "SES global endpoint"),
    ("endpoints.email.global", "ses", Scope::EveryRegion, "SES global endpoint"),
    ("endpoints.email.us-gov", "ses", Scope::EveryRegion, "SES global endpoint"),
    ("queue", "sqs", Scope::Region("us-east-1"), "SQS, old form"),
    ("s3", "s3", Scope::Unsaid, "S3 without region"),
    ("s3-accelerate", "s3", Scope::Unsaid, "S3 transfer acceleration"),
    ("s3-external-1", "s3", Scope::Region("us-east-1"), "S3, old form"),
];

/// The entry for the longest end of `name`, in whole labels; never without the region's place.
pub(super) fn resource(name: &str) -> Option<&'static str> {
    let inside = name.contains('@');
    ends(name).take_while(|end| !inside || end.contains('@')).find_map(|end| {
        let at = RESOURCES.binary_search_by(|(key, _)| (*key).cmp(end)).ok()?;
        RESOURCES.get(at).map(|(_, service)| *service)
    })
}

pub(super) fn regionless(name: &str) -> Option<(&'static str, Scope, &'static str)> {
    ends(name).find_map(|end| {
        REGIONLESS
            .iter()
            .find(|(key, ..)| *key == end)
            .map(|&(_, service, scope, rule)| (service, scope, rule))
    })
}

/// `name` and what is left of it as labels are taken off its front.
fn ends(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |rest| rest.split_once('.').map(|(_, tail)| tail))
}
