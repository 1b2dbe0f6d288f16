//! Written by scripts/endpoints.py from botocore 1.44.5. Do not edit: run the script.

use super::table::{DomainKind, Partition, Rows, Suffix};

/// Partitions: id, prefixes of region names, known regions, pseudo-regions.
#[rustfmt::skip]
pub(super) static PARTITIONS: [Partition; 8] = [
    Partition {
        id: "aws",
        prefixes: &["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"],
        regions: &["af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "me-west-1", "mx-central-1", "sa-east-1", "sa-west-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"],
        pseudo: &["aws-global"],
    },
    Partition {
        id: "aws-cn",
        prefixes: &["cn"],
        regions: &["cn-north-1", "cn-northwest-1"],
        pseudo: &["aws-cn-global"],
    },
    Partition {
        id: "aws-eusc",
        prefixes: &["eusc-de"],
        regions: &["eusc-de-east-1"],
        pseudo: &[],
    },
    Partition {
        id: "aws-iso",
        prefixes: &["us-iso"],
        regions: &["us-iso-east-1", "us-iso-west-1"],
        pseudo: &["aws-iso-global"],
    },
    Partition {
        id: "aws-iso-b",
        prefixes: &["us-isob"],
        regions: &["us-isob-east-1", "us-isob-west-1"],
        pseudo: &["aws-iso-b-global"],
    },
    Partition {
        id: "aws-iso-e",
        prefixes: &["eu-isoe"],
        regions: &["eu-isoe-west-1"],
        pseudo: &["aws-iso-e-global"],
    },
    Partition {
        id: "aws-iso-f",
        prefixes: &["us-isof"],
        regions: &["us-isof-east-1", "us-isof-south-1"],
        pseudo: &["aws-iso-f-global"],
    },
    Partition {
        id: "aws-us-gov",
        prefixes: &["us-gov"],
        regions: &["us-gov-east-1", "us-gov-west-1"],
        pseudo: &["aws-us-gov-global"],
    },
];

/// Domains of AWS, their partitions (by index), and the hosts without a region label or signed for
/// another region: name without FIPS labels (`*` is any region), signing name, region (`*` is a region
/// set).
#[rustfmt::skip]
pub(super) static SUFFIXES: [Suffix; 17] = [
    Suffix {
        domain: "amazonaws.com",
        kind: DomainKind::Standard,
        partitions: &[0, 7, 3, 4],
        fixed: Rows("\
account.aws-global account us-east-1
billingconductor.aws-global billingconductor us-east-1
budgets budgets us-east-1
budgets.aws-global budgets us-east-1
ce.aws-global ce us-east-1
chime.aws-global chime us-east-1
cloudfront cloudfront us-east-1
cloudfront.aws-global cloudfront us-east-1
global.health health us-east-1
global.health.us-gov health us-gov-west-1
health.aws-global health us-east-1
health.aws-us-gov-global health us-gov-west-1
iam iam us-east-1
iam.us-gov iam us-gov-west-1
importexport IngestionService us-east-1
importexport.* IngestionService us-east-1
importexport.us-gov-east-1 importexport us-gov-east-1
importexport.us-gov-west-1 importexport us-gov-west-1
notifications-contacts.aws-global notifications-contacts us-east-1
route53 route53 us-east-1
route53-recovery-control-config.aws-global route53-recovery-control-config us-west-2
route53.us-gov route53 us-gov-west-1
s3 s3 us-east-1
s3.aws-global s3 us-east-1
savingsplans savingsplans us-east-1
savingsplans.aws-global savingsplans us-east-1
sdb sdb us-east-1
sts sts us-east-1
sts.aws-global sts us-east-1
support.aws-global support us-east-1
support.aws-us-gov-global support us-gov-west-1
tax.aws-global tax us-east-1
waf waf us-east-1
"),
    },
    Suffix {
        domain: "api.aws",
        kind: DomainKind::DualStack,
        partitions: &[0, 7, 3, 4],
        fixed: Rows("\
account.aws-global account us-east-1
api.sustainability.* sustainability *
billingconductor.aws-global billingconductor us-east-1
budgets budgets us-gov-west-1
budgets.aws-global budgets us-east-1
ce.aws-global ce us-east-1
chime.aws-global chime us-east-1
cloudfront cloudfront us-gov-west-1
cloudfront.aws-global cloudfront us-east-1
cloudfront.global cloudfront us-east-1
codecatalyst.global codecatalyst aws-global
health.aws-global health us-east-1
health.aws-us-gov-global health us-gov-west-1
iam.aws-global iam us-east-1
iam.aws-us-gov-global iam us-gov-west-1
iam.global iam us-east-1
iam.us-gov iam us-gov-west-1
importexport.* IngestionService us-east-1
importexport.us-gov-east-1 importexport us-gov-east-1
importexport.us-gov-west-1 importexport us-gov-west-1
notifications-contacts.aws-global notifications-contacts us-east-1
organizations.aws-global organizations us-east-1
organizations.aws-us-gov-global organizations us-gov-west-1
partnercentral-channel.global partnercentral-channel *
partnercentral-channel.us-gov partnercentral-channel *
partnercentral-prm.global partnercentral *
partnercentral-prm.us-gov partnercentral *
ramus-gov-east-1 ram us-gov-east-1
ramus-gov-west-1 ram us-gov-west-1
route53-recovery-control-config.aws-global route53-recovery-control-config us-west-2
route53.aws-global route53 us-east-1
route53.aws-us-gov-global route53 us-gov-west-1
route53.global route53 us-east-1
route53.us-gov route53 us-gov-west-1
savingsplans.aws-global savingsplans us-east-1
savingsplans.global savingsplans us-east-1
shield.aws-global shield us-east-1
sts.aws-global sts us-east-1
support.aws-global support us-east-1
support.aws-us-gov-global support us-gov-west-1
sustainability.global sustainability *
sustainability.us-gov sustainability *
tax.aws-global tax us-east-1
waf.aws-global waf us-east-1
"),
    },
    Suffix {
        domain: "on.aws",
        kind: DomainKind::Resources,
        partitions: &[0, 7],
        fixed: Rows(""),
    },
    Suffix {
        domain: "amazonaws.com.cn",
        kind: DomainKind::Standard,
        partitions: &[1],
        fixed: Rows("\
account.* account cn-northwest-1
budgets budgets cn-northwest-1
budgets.aws-cn-global budgets cn-northwest-1
ce.* ce cn-northwest-1
cloudfront.* cloudfront cn-northwest-1
global.health health cn-northwest-1
health.aws-cn-global health cn-northwest-1
iam iam cn-north-1
iam.* iam cn-north-1
organizations.* organizations cn-northwest-1
route53 route53 cn-northwest-1
route53.aws-cn-global route53 cn-northwest-1
support.aws-cn-global support cn-north-1
"),
    },
    Suffix {
        domain: "api.amazonwebservices.com.cn",
        kind: DomainKind::DualStack,
        partitions: &[1],
        fixed: Rows("\
account.* account cn-northwest-1
budgets budgets cn-northwest-1
budgets.aws-cn-global budgets cn-northwest-1
ce.* ce cn-northwest-1
cloudfront cloudfront cn-northwest-1
cloudfront.aws-cn-global cloudfront cn-northwest-1
health.aws-cn-global health cn-northwest-1
iam iam cn-north-1
iam.aws-cn-global iam cn-north-1
iam.global iam cn-north-1
organizations.* organizations cn-northwest-1
partnercentral-channel.global partnercentral-channel *
partnercentral-prm.global partnercentral *
route53 route53 cn-northwest-1
route53.aws-cn-global route53 cn-northwest-1
route53.global route53 cn-northwest-1
support.aws-cn-global support cn-north-1
sustainability.global sustainability *
"),
    },
    Suffix {
        domain: "on.amazonwebservices.com.cn",
        kind: DomainKind::Resources,
        partitions: &[1],
        fixed: Rows(""),
    },
    Suffix {
        domain: "amazonaws.eu",
        kind: DomainKind::Standard,
        partitions: &[2],
        fixed: Rows("\
budgets budgets eusc-de-east-1
cloudfront cloudfront eusc-de-east-1
iam iam eusc-de-east-1
route53 route53 eusc-de-east-1
"),
    },
    Suffix {
        domain: "api.amazonwebservices.eu",
        kind: DomainKind::DualStack,
        partitions: &[2],
        fixed: Rows("\
budgets budgets eusc-de-east-1
cloudfront cloudfront eusc-de-east-1
iam iam eusc-de-east-1
iam.global iam eusc-de-east-1
partnercentral-channel.global partnercentral-channel *
partnercentral-prm.global partnercentral *
route53 route53 eusc-de-east-1
route53.global route53 eusc-de-east-1
sustainability.global sustainability *
"),
    },
    Suffix {
        domain: "on.amazonwebservices.eu",
        kind: DomainKind::Resources,
        partitions: &[2],
        fixed: Rows(""),
    },
    Suffix {
        domain: "c2s.ic.gov",
        kind: DomainKind::Standard,
        partitions: &[3],
        fixed: Rows("\
budgets budgets us-iso-east-1
budgets.* budgets us-iso-east-1
ce.* ce us-iso-east-1
cloudfront cloudfront us-iso-east-1
iam.* iam us-iso-east-1
organizations.* organizations us-iso-east-1
route53 route53 us-iso-east-1
route53.aws-iso-global route53 us-iso-east-1
support.aws-iso-global support us-iso-east-1
"),
    },
    Suffix {
        domain: "api.aws.ic.gov",
        kind: DomainKind::DualStack,
        partitions: &[3],
        fixed: Rows("\
budgets budgets us-iso-east-1
cloudfront cloudfront us-iso-east-1
iam iam us-iso-east-1
partnercentral-channel.global partnercentral-channel *
partnercentral-prm.global partnercentral *
route53 route53 us-iso-east-1
sustainability.global sustainability *
"),
    },
    Suffix {
        domain: "sc2s.sgov.gov",
        kind: DomainKind::Standard,
        partitions: &[4],
        fixed: Rows("\
budgets budgets us-isob-east-1
budgets.* budgets us-isob-east-1
budgets.global budgets us-isob-east-1
ce.* ce us-isob-east-1
cloudfront cloudfront us-isob-east-1
iam.* iam us-isob-east-1
organizations.* organizations us-isob-east-1
route53 route53 us-isob-east-1
route53.aws-iso-b-global route53 us-isob-east-1
support.aws-iso-b-global support us-isob-east-1
"),
    },
    Suffix {
        domain: "api.aws.scloud",
        kind: DomainKind::DualStack,
        partitions: &[4],
        fixed: Rows("\
budgets budgets us-isob-east-1
cloudfront cloudfront us-isob-east-1
iam iam us-isob-east-1
partnercentral-channel.global partnercentral-channel *
partnercentral-prm.global partnercentral *
route53 route53 us-isob-east-1
sustainability.global sustainability *
"),
    },
    Suffix {
        domain: "cloud.adc-e.uk",
        kind: DomainKind::Standard,
        partitions: &[5],
        fixed: Rows("\
budgets budgets eu-isoe-west-1
budgets.* budgets eu-isoe-west-1
budgets.global budgets eu-isoe-west-1
cloudfront cloudfront eu-isoe-west-1
iam iam eu-isoe-west-1
organizations.* organizations eu-isoe-west-1
route53 route53 eu-isoe-west-1
route53.aws-iso-e-global route53 eu-isoe-west-1
savingsplans savingsplans eu-isoe-west-1
savingsplans.* savingsplans eu-isoe-west-1
"),
    },
    Suffix {
        domain: "api.cloud-aws.adc-e.uk",
        kind: DomainKind::DualStack,
        partitions: &[5],
        fixed: Rows("\
budgets budgets eu-isoe-west-1
cloudfront cloudfront eu-isoe-west-1
iam iam eu-isoe-west-1
partnercentral-channel.global partnercentral-channel *
partnercentral-prm.global partnercentral *
route53 route53 eu-isoe-west-1
sustainability.global sustainability *
"),
    },
    Suffix {
        domain: "csp.hci.ic.gov",
        kind: DomainKind::Standard,
        partitions: &[6],
        fixed: Rows("\
budgets budgets us-isof-south-1
budgets.* budgets us-isof-south-1
budgets.global budgets us-isof-south-1
ce.* ce us-isof-south-1
cloudfront cloudfront us-isof-south-1
iam iam us-isof-south-1
iam.* iam us-isof-south-1
organizations.* organizations us-isof-south-1
route53 route53 us-isof-south-1
route53.aws-iso-f-global route53 us-isof-south-1
savingsplans savingsplans us-isof-south-1
savingsplans.aws-iso-f-global savingsplans us-isof-south-1
"),
    },
    Suffix {
        domain: "api.aws.hci.ic.gov",
        kind: DomainKind::DualStack,
        partitions: &[6],
        fixed: Rows("\
budgets budgets us-isof-south-1
cloudfront cloudfront us-isof-south-1
iam iam us-isof-south-1
partnercentral-channel.global partnercentral-channel *
partnercentral-prm.global partnercentral *
route53 route53 us-isof-south-1
sustainability.global sustainability *
"),
    },
];

/// Hosts of AWS outside those domains: the labels after the region, signing name, partition (by index), and
/// the region of the host without a region label (empty if no such host exists).
#[rustfmt::skip]
pub(super) static OTHER_HOSTS: [(&str, &str, usize, &str); 8] = [
    ("signin.amazonaws-eusc.eu", "signin", 2, ""),
    ("signin.amazonaws-us-gov.com", "signin", 7, "us-gov-west-1"),
    ("signin.amazonaws.cn", "signin", 1, ""),
    ("signin.aws.amazon.com", "signin", 0, ""),
    ("signin.c2shome.ic.gov", "signin", 3, ""),
    ("signin.csphome.adc-e.uk", "signin", 5, ""),
    ("signin.csphome.hci.ic.gov", "signin", 6, ""),
    ("signin.sc2shome.sgov.gov", "signin", 4, ""),
];

/// Labels before the region (`@` is the region where it does not come last), and the signing name if it is
/// another.
#[rustfmt::skip]
pub(super) static SERVICES: Rows = Rows("\
@.neptune-graph neptune-graph
@.signin signin
a2i-runtime.sagemaker sagemaker
access-analyzer
account
account-access
account-access-runtime account-access
acm
acm-acme acm
acm-pca
aco-automation
admin.wickr wickr
agent-registry
agent-registry-control agent-registry
agreement-marketplace aws-marketplace
aidevops
aiops
airflow
airflow-serverless
amplify
amplifybackend
amplifyuibuilder
analytics-omics omics
aos es
aoss
api-fulfill.dataexchange dataexchange
api.airflow airflow
api.detective detective
api.ecr ecr
api.ecr-public ecr-public
api.iot-tunneling IoTSecuredTunneling
api.iotdeviceadvisor iotdeviceadvisor
api.iotmanagedintegrations iotmanagedintegrations
api.iotsitewise iotsitewise
api.iottwinmaker iottwinmaker
api.iotwireless iotwireless
api.mediatailor mediatailor
api.pricing pricing
api.sagemaker sagemaker
api.thinclient thinclient
api.tunneling.iot IoTSecuredTunneling
apigateway
app-integrations
appconfig
appconfigdata appconfig
appfabric
appflow
application-autoscaling
application-cost-profiler
application-signals
applicationinsights
appmesh
apprunner
appstream2 appstream
appsync
aps
arc-recovery-control-config route53-recovery-control-config
arc-region-switch
arc-zonal-shift
artifact
athena
auditmanager
autoscaling
autoscaling-plans
b2bi
backup
backup-gateway
backup-search
batch
bcm-dashboards
bcm-data-exports
bcm-pricing-calculator
bcm-recommended-actions
bedrock
bedrock-agent bedrock
bedrock-agent-runtime bedrock
bedrock-agentcore
bedrock-agentcore-control bedrock-agentcore
bedrock-data-automation bedrock
bedrock-data-automation-runtime bedrock
bedrock-runtime bedrock
billing
billingconductor
braket
budgets
cases
cassandra
cassandra-streams cassandra
catalog-marketplace aws-marketplace
catalog.marketplace aws-marketplace
ce
chatbot
chime
cleanrooms
cleanrooms-ml
cloud9
cloudcontrolapi
clouddirectory
cloudformation
cloudfront
cloudfront-keyvaluestore
cloudhsm
cloudhsmv2 cloudhsm
cloudsearch
cloudsearchdomain cloudsearch
cloudtrail
cloudtrail-data
cloudwatch-omni cloudwatch
cn.transcribe transcribe
codeartifact
codebuild
codecatalyst
codecommit
codeconnections
codedeploy
codeguru-profiler
codeguru-reviewer
codeguru-security
codepipeline
codestar-connections
codestar-notifications
cognito-identity
cognito-idp
cognito-sync
comprehend
comprehendmedical
compute-optimizer
config
connect
connect-campaigns
contact-lens connect
continuum
control-storage-omics omics
controlcatalog
controlplane.payment-cryptography payment-cryptography
controltower
cost-optimization-hub
cp.aidevops aidevops
cp.geofencing.geo geo
cp.maps.geo geo
cp.metadata.geo geo
cp.places.geo geo
cp.routes.geo geo
cp.tracking.geo geo
cur
data-ats.iot iotdata
data-lakeformation lakeformation
data-servicediscovery servicediscovery
data-signer signer
data.ats.iot iotdata
data.iot iotdata
data.iotsitewise iotsitewise
data.iottwinmaker iottwinmaker
data.jobs.iot iot-jobs-data
data.mediastore mediastore
data.qapps qapps
databrew
dataexchange
datapipeline
dataplane.payment-cryptography payment-cryptography
dataplane.rum rum
datasync
datatransformation.healthlake healthlake
datazone
dax
deadline
deployment-marketplace aws-marketplace
detective
devicefarm
devops-guru
directconnect
discovery
discovery-marketplace aws-marketplace
dlm
dms
docdb-elastic
dp.aidevops aidevops
drs
ds
ds-data
dsql
dynamodb
ebs
ec2
ec2-instance-connect
ecr
ecr-public
ecs
edge.sagemaker sagemaker
efs elasticfilesystem
eks
eks-auth
elasticache
elasticbeanstalk
elasticfilesystem
elasticloadbalancing
elasticmapreduce
elemental-inference
email ses
emr-containers
emr-serverless
end-user-messaging
entitlement-marketplace aws-marketplace
entitlement.marketplace aws-marketplace
entityresolution
env.airflow airflow
es
events
eventsv2 events
evs
execute-api
featurestore-runtime.sagemaker sagemaker
firehose
fis
fms
forecast
forecastquery forecast
frauddetector
freetier
fsx
gamelift
gameliftstreams
geo
geo-maps
geo-places
geo-routes
geofencing.geo geo
glacier
globalaccelerator
glue
grafana
greengrass
groundstation
guardduty
health
health-agent
healthlake
iam
iam-toolbox iam
identity-chime chime
identitystore
imagebuilder
importexport
inferencerouter-runtime.sagemaker sagemaker
ingest.timestream timestream
inspector
inspector-scan
inspector2
interconnect
internetmonitor
invoicing
iot
iotfleetwise
iotsitewise
iotthingsgraph
iottwinmaker
ivs
ivschat
ivsrealtime ivs
job-runtime.sagemaker sagemaker
kafka
kafka-api kafka
kafkaconnect
kendra
kendra-ranking
kinesis
kinesis-queues kinesis
kinesisanalytics
kinesisvideo
kms
lakeformation
lambda
launchwizard
license-manager
license-manager-linux-subscriptions
license-manager-user-subscriptions
lightsail
logs
lookoutequipment
m2
machinelearning
macie2
mail-manager ses
managedblockchain
managedblockchain-query
management.deadline deadline
maps.geo geo-maps
marketplacecommerceanalytics
media-pipelines-chime chime
mediaconnect
mediaconvert
medialive
mediapackage
mediapackage-vod
mediapackagev2
mediastore
mediatailor
medical-imaging
meetings-chime chime
memory-db memorydb
messaging-chime chime
metadata.geo geo
metering-marketplace aws-marketplace
metering.marketplace aws-marketplace
metrics.sagemaker sagemaker
mgh
mgn
migrationhub-config mgh
migrationhub-orchestrator
migrationhub-strategy
models-v2-lex lex
models.lex lex
monitor.iotsitewise iotsitewise
monitoring
mpa
mq
mturk-requester
neptune-db
neptune-graph
network-firewall
network-security-manager
networkflowmonitor
networkmanager
networkmonitor
notifications
notifications-contacts
nova-act
oam
observabilityadmin
odb
oidc sso-oauth
omics
ops.airflow airflow
organizations
osis
osm
outposts
participant.connect execute-api
partnercentral-account
partnercentral-benefits
partnercentral-channel
partnercentral-prm partnercentral
partnercentral-selling
pca-connector-ad
pca-connector-scep
pcs
personalize
personalize-events personalize
personalize-runtime personalize
pi
pinpoint mobiletargeting
pipes
places.geo geo-places
polly
portal.sso awsssoportal
pricingplanmanager
profile
proton
qbusiness
query-lakeformation lakeformation
query.timestream timestream
quicksight
ram
rbin
rds
rds-data
redshift
redshift-data
redshift-serverless
refactor-spaces
rekognition
reporting-marketplace aws-marketplace
repostspace
resiliencehub
resource-explorer-2
resource-groups
rolesanywhere
route53
route53-recovery-cluster
route53-recovery-control-config
route53-recovery-readiness
route53domains
route53globalresolver
route53profiles
route53resolver
routes.geo geo-routes
routes.geo.@.us-gov geo-routes
rtbfabric
rum
runtime-medical-imaging medical-imaging
runtime-v2-lex lex
runtime.health-agent health-agent
runtime.lex lex
runtime.sagemaker sagemaker
s3
s3-control s3
s3-object-lambda
s3-outposts
s3express-control s3express
s3files
s3tables
s3vectors
sagemaker-geospatial
savingsplans
scheduler
scheduling.deadline deadline
schemas
scn
sdb
search-dynamodb dynamodb
secretsmanager
security-ir
securityagent
securityhub
securitylake
serverlessrepo
servicecatalog
servicecatalog-appregistry servicecatalog
servicediscovery
servicequotas
shield
signer
signin
sms-voice
sms-voice.pinpoint sms-voice
snow-device-management
snowball
sns
social-messaging
sqs
ssm
ssm-contacts
ssm-guiconnect
ssm-incidents
ssm-quicksetup
ssm-sap
sso
states
storage-omics omics
storagegateway
stream-logs logs
streaming.health-agent health-agent
streams-dynamodb dynamodb
streams.dynamodb dynamodb
sts
subscribe.mediaconvert mediaconvert
support
supportapp
supportauthz
sustainability
swf
sync-states states
synthetics
tagging
tags-omics omics
tax
textract
thinclient
timestream-influxdb
timestream-ingest timestream
timestream-query timestream
tracking.geo geo
training-session-runtime.sagemaker sagemaker
transcribe
transfer
translate
trustedadvisor
uxc
verifiedpermissions
voice-chime chime
voiceid
vpc-lattice
waf
waf-regional
wafv2
wellarchitected
wellarchitected-agent wellarchitected
wisdom
workdocs
workflows-omics omics
workmail
workmailmessageflow
workspaces
workspaces-instances
workspaces-web
xray
");
